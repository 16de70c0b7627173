// Goal: `delay` accepts exactly its grammar, sleeps exactly when told, and answers the id.
// Method: a table of lines; a sleep that only notes its time. One test of the real sleep.
#include "services/delay.h"

#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <vector>

#include "support.h"

namespace services { namespace {

using std::chrono::microseconds;
using std::chrono::nanoseconds;
using std::chrono::steady_clock;
using testing::is_error_line;
using testing::line_of;

struct Told {
  std::string line;
  std::optional<nanoseconds> slept;
};

Told tell(std::string_view line) {
  std::optional<nanoseconds> slept;
  const tr::Answer answer = answer_delay(line, [&](nanoseconds time) { slept = time; });
  return {line_of(answer), slept};
}

TEST(Delay, AnswersTheIdAfterTheTime) {
  const std::string longest(64, 'x');
  const struct {
    std::string line, id;
    int64_t time;
  } cases[] = {
      {"a 1", "a", 1},
      {"request-7 250", "request-7", 250},
      {"a 60000000", "a", 60'000'000},
      {"a 007", "a", 7},
      {longest + " 5", longest, 5},
      {"-1 5", "-1", 5},
      {"\xc3\xa4 5", "\xc3\xa4", 5},
  };
  for (const auto& each : cases) {
    const Told told = tell(each.line);
    EXPECT_EQ(told.line, each.id) << each.line;
    EXPECT_EQ(told.slept, microseconds(each.time)) << each.line;
  }
}

TEST(Delay, ZeroMakesNoSleepCall) {
  for (const std::string line : {"a 0", "a 000"}) {
    const Told told = tell(line);
    EXPECT_EQ(told.line, "a");
    EXPECT_EQ(told.slept, std::nullopt);
  }
}

TEST(Delay, RefusesEverythingElse) {
  const std::string too_long(65, 'x');
  const std::string lines[] = {
      "",
      " ",
      "a",
      "a ",
      " 5",
      "a  5",
      "a 5 ",
      "a 5 6",
      "a +5",
      "a -5",
      "a -0",
      "a 60000001",
      "a 1.5",
      "a 1e3",
      "a 0x10",
      "a 5us",
      "a b",
      "a 4294967296",
      "a\t5",
      "a\tb 5",
      "a\r 5",
      "a 5\r",
      " a 5",
      "a 18446744073709551616",
      "a 5\n",
      "a\v 5",
      "a \t5",
      too_long + " 5",
      "a 99999999999999999999999999999999999999999999",
      std::string("a 5\0", 4),
  };
  for (const std::string& line : lines) {
    const Told told = tell(line);
    EXPECT_TRUE(is_error_line(told.line)) << '"' << line << "\" got " << told.line;
    EXPECT_EQ(told.slept, std::nullopt) << line;
  }
}

TEST(Delay, AnswerIsAViewOfTheRequest) {
  const std::string line = "an-id-too-long-for-a-small-string 1";
  const tr::Answer answer = answer_delay(line, [](nanoseconds) {});
  EXPECT_FALSE(answer.is_owned());
  EXPECT_EQ(answer.text().data(), line.data());
}

TEST(Delay, RealSleepLastsAtLeastItsTime) {
  const auto start = steady_clock::now();
  blocking_sleep(std::chrono::milliseconds(3));
  EXPECT_GE(steady_clock::now() - start, std::chrono::milliseconds(3));
}

}  // namespace
}  // namespace services
