// Goal: what is told fits the terminal, however narrow it is or little it can do. Method: a
// pseudo-terminal whose size and kind the test sets; tables.
#include "tool/terminal.h"

#include <gtest/gtest.h>
#include <pty.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <sstream>

#include "tool/bench/report.h"

namespace {

size_t longest_line(const std::string& text) {
  size_t longest = 0;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) longest = std::max(longest, line.size());
  return longest;
}

// With COLUMNS and TERM as they are set here; empty: not at all.
class TerminalTest : public ::testing::Test {
 protected:
  TerminalTest() {
    EXPECT_EQ(::openpty(&other_, &terminal_, nullptr, nullptr, nullptr), 0);
    set("COLUMNS", "");
  }
  ~TerminalTest() override {
    ::close(other_);
    ::close(terminal_);
    set("COLUMNS", "");
  }
  static void set(const char* name, const char* value) {
    if (value[0] == '\0') {
      ::unsetenv(name);
    } else {
      ::setenv(name, value, 1);
    }
  }

  int other_ = -1;
  int terminal_ = -1;
};

TEST_F(TerminalTest, ColumnsAreThoseOfTheVariableOrTheTerminal) {
  EXPECT_EQ(tool::columns_of(terminal_), 80u) << "its size is 0";
  EXPECT_EQ(tool::columns_of(-1), 80u);
  const winsize size{.ws_row = 5, .ws_col = 24};
  ASSERT_EQ(::ioctl(terminal_, TIOCSWINSZ, &size), 0);
  EXPECT_EQ(tool::columns_of(terminal_), 24u);
  set("COLUMNS", "33");
  EXPECT_EQ(tool::columns_of(terminal_), 33u);
  for (const char* nonsense : {"0", "-5", "wide", "80x", "99999999999999999999"}) {
    set("COLUMNS", nonsense);
    EXPECT_EQ(tool::columns_of(terminal_), 24u) << nonsense;
  }
}

TEST_F(TerminalTest, ADumbOneIsNotRedrawn) {
  const std::string before = std::getenv("TERM") == nullptr ? "" : std::getenv("TERM");
  set("TERM", "xterm");
  EXPECT_TRUE(tool::can_redraw(terminal_));
  EXPECT_FALSE(tool::can_redraw(-1));
  for (const char* kind : {"dumb", ""}) {
    set("TERM", kind);
    EXPECT_FALSE(tool::can_redraw(terminal_)) << kind;
  }
  set("TERM", before.c_str());
}

TEST(Fit, BreaksAtBlanks) {
  EXPECT_EQ(tool::fit("", 10), "");
  EXPECT_EQ(tool::fit("a\n\nb\n", 10), "a\n\nb\n");
  EXPECT_EQ(tool::fit("one two three", 7), "one two\nthree");
  EXPECT_EQ(tool::fit("one two  ", 7), "one two  ");
  EXPECT_EQ(tool::fit("  one two three", 9), "  one two\n    three");
  EXPECT_EQ(tool::fit("unbreakable word", 4), "unbreakable\nword");
  EXPECT_EQ(tool::fit("  unbreakable", 4), "  unbreakable");
  EXPECT_EQ(tool::fit("  --name  what it means and does and more of it", 42),
            "  --name  what it means and does and more\n          of it");
  EXPECT_EQ(tool::fit("  --name  what it means", 12), "  --name\n    what it\n    means");
  for (size_t columns = 0; columns < 60; ++columns) {
    std::string text = tool::fit("  a line  of some words, none too long for twelve", columns);
    EXPECT_TRUE(columns < 12 || longest_line(text) <= columns) << text;
    text.erase(std::remove_if(text.begin(), text.end(), [](char c) { return c <= ' '; }),
               text.end());
    EXPECT_EQ(text, "alineofsomewords,nonetoolongfortwelve");
  }
}

TEST(Fit, OneLineIsOne) {
  EXPECT_EQ(tool::one_line("a\nb\r\t\x1b[2J\x7f gr\xc3\xbc\xc3\x9f"),
            "a?b???[2J? gr\xc3\xbc\xc3\x9f");
}

TEST(NarrowReport, FitsTwentyFourColumns) {
  bench::Subject subject{"lines", "tcp://127.0.0.1:7000", {}};  // why: only printed
  subject.options.load.rate = 1000;
  subject.options.load.block_fraction = 0.5;
  load::Measured measured;
  measured.connected = true;
  measured.seconds = 12;
  measured.requests = 1'000'000;
  measured.server.emplace();
  for (int i = 0; i < 1000; ++i) {
    measured.tally.fast.add(i * 1000);
    measured.tally.blocking.add(i * 1'000'000);
  }
  measured.tally.note("connection 0 broke: closed by the server");
  for (const size_t columns : {size_t{24}, size_t{40}, size_t{80}}) {
    const std::string text = bench::text_of(subject, measured, columns);
    EXPECT_LE(longest_line(text), columns) << text;
    EXPECT_NE(text.find("p99.99"), std::string::npos);
  }
  EXPECT_NE(bench::text_of(subject, measured).find("  latency                  p50       p90"),
            std::string::npos);
}

TEST(NarrowReport, ProgressIsOneLine) {
  load::RunOptions options;
  using Phase = load::Progress::Phase;
  for (const Phase phase :
       {Phase::kConnecting, Phase::kWarmingUp, Phase::kMeasuring, Phase::kDraining}) {
    const load::Progress progress{phase, 5, 1000, 123'456, 1};
    for (size_t columns = 0; columns < 100; ++columns) {
      const std::string line = bench::progress_of(options, progress, columns);
      EXPECT_LE(line.size(), columns);
      EXPECT_EQ(line.find_first_of("\n\r\t\x1b"), line.npos);
    }
  }
  const load::Progress measuring{Phase::kMeasuring, 3, 64, 123'456, 1};
  EXPECT_EQ(bench::progress_of(options, measuring, 79), "measuring, 3 of 10 s: 123,456 requests/s");
  EXPECT_EQ(bench::progress_of(options, measuring, 23), "3/10 s, 123,456/s");
}

}  // namespace
