// Goal: the help of the program fits a terminal, and every command line that is wrong is refused
// with status 2 and one sentence that names what is wrong and where help is. Method: the real
// program; tables.
#include <gtest/gtest.h>

#include <cstdlib>
#include <sstream>
#include <string>
#include <vector>

#include "tool/bench_runs.h"

namespace {

using support::Child;
using support::contains;
using support::Ended;
using support::Words;

Ended run(const Words& words) {
  Child child(words);
  const int status = child.wait_exit();
  return {status, child.out(), child.errors()};
}

size_t longest_line(const std::string& text) {
  size_t longest = 0;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) longest = std::max(longest, line.size());
  return longest;
}

const std::vector<Words>& all_commands() {
  static const std::vector<Words> kAll = {{},
                                          {"serve"},
                                          {"serve", "echo"},
                                          {"serve", "discard"},
                                          {"serve", "delay"},
                                          {"serve", "collect"},
                                          {"bench"},
                                          {"bench", "echo"},
                                          {"bench", "lines"},
                                          {"bench", "churn"},
                                          {"bench", "idle"},
                                          {"bench", "stream"},
                                          {"bench", "script"}};
  return kAll;
}

TEST(CommandLine, HelpFitsTheTerminal) {
  const struct {
    const char* columns;  // COLUMNS; null: not set
    size_t longest;
  } terminals[] = {{nullptr, 80}, {"200", 80}, {"60", 60}, {"40", 40}};
  for (const auto& terminal : terminals) {
    if (terminal.columns == nullptr) {
      ::unsetenv("COLUMNS");
    } else {
      ::setenv("COLUMNS", terminal.columns, 1);
    }
    for (Words words : all_commands()) {
      words.emplace_back("--help");
      const Ended help = run(words);
      EXPECT_EQ(help.status, 0) << ::testing::PrintToString(words);
      EXPECT_LE(longest_line(help.out), terminal.longest) << help.out;
      EXPECT_TRUE(contains(help.out, "Usage: trireme")) << help.out;
    }
  }
  ::unsetenv("COLUMNS");
}

TEST(CommandLine, WhatIsWrongIsNamed) {
  const std::string url = "tcp://127.0.0.1:1";  // why: never connected to
  const struct {
    Words words;
    std::string said;
  } lines[] = {
      {{}, "expected a command: serve or bench (try `trireme --help`)"},
      {{"nosuch"},
       "there is no command \"nosuch\": expected serve or bench (try `trireme --help`)"},
      {{"serve"}, "expected a service: echo, lines, discard, delay"},
      {{"serve", "nosuch"}, "there is no service \"nosuch\": expected echo, lines, discard, delay"},
      {{"serve", "nosuch", "--listen", "tcp://127.0.0.1:0"}, "there is no service \"nosuch\""},
      {{"bench", "nosuch", url, "--rate", "5"},
       "there is no scenario \"nosuch\": expected echo, lines, churn, handshakes, idle, stream, "
       "script, http or ws"},
      {{"--nosuch"}, "there is no option --nosuch: options stand behind serve or bench"},
      {{"serve", "--nosuch", "echo"}, "there is no option --nosuch"},
      {{"serve", "--listen", "x", "echo"}, "--listen must stand behind `trireme serve echo`"},
      {{"serve", "echo", "--nosuch", "5"},
       "there is no option --nosuch (try `trireme serve echo --help`)"},
      {{"serve", "echo", "--nosuch=5"}, "there is no option --nosuch ("},
      {{"serve", "echo", "5", "--nosuch"}, "there is no option --nosuch"},
      {{"serve", "echo", "--io-workers", "x", "--nosuch", "5"}, "there is no option --nosuch"},
      {{"serve", "echo", "--io-workers", "--nosuch", "5"}, "got \"--nosuch\""},
      {{"serve", "collect", "--nosuch", "5"}, "there is no option --nosuch"},
      {{"bench", "echo", "--nosuch", "5"}, "there is no option --nosuch"},
      {{"bench", "echo", url, "--nosuch", "5"},
       "there is no option --nosuch (try `trireme bench echo --help`)"},
      {{"serve", "echo", "--dispach", "inline"}, "is --dispatch meant?"},
      {{"serve", "echo", "--frame-bytes", "3"}, "is --frame-bytes-max meant?"},
      {{"serve", "echo", "-x"}, "there is no option -x"},
      {{"serve", "echo", "extra"}, "\"extra\" is too much"},
      {{"bench", "echo", url, "more"}, "\"more\" is too much"},
      {{"serve", "echo", "--listen"}, "--listen: a value must follow, --listen URL"},
      {{"bench", "echo", url, "--rate="}, "--rate: a value must follow, --rate R"},
      {{"serve", "echo", "--io-workers", "1", "--io-workers", "2"},
       "--io-workers: is there more than once"},
      {{"bench", "echo", url, "--json=5"}, "--json: takes no value"},
      {{"serve", "echo", "--in-flight-max", "4"}, "--in-flight-max: needs --ordering pipelined"},
      {{"serve", "echo", "--poll-time", "1s"}, "250us, 10ms or 0, at most 10ms, got \"1s\""},
      {{"serve", "echo", "--dispatch", "none"}, "expected one of inline, workers, adaptive"},
      {{"serve", "collect"}, "--db is required"},
      {{"bench", "echo"}, "URL is required (try `trireme bench echo --help`)"},
      {{"serve", "ec\nho"}, "no service \"ec?ho\""},
      {{"serve", "echo", "--listen\x1b[2J"}, "no option --listen?[2J"},
      {{"bench", "echo", "a\nb"}, "got \"a?b\""},
      {{"bench", "echo", "nonsense"}, "(try `trireme bench echo --help`)"},
  };
  for (const auto& line : lines) {
    const Ended ended = run(line.words);
    const std::string all = ::testing::PrintToString(line.words) + ended.errors;
    EXPECT_EQ(ended.status, 2) << all;
    EXPECT_EQ(ended.out, "") << all;
    EXPECT_EQ(ended.errors.find('\n'), ended.errors.size() - 1) << all;
    EXPECT_TRUE(contains(ended.errors, line.said)) << all;
  }
}

}  // namespace
