// Goal: one seed gives one sequence for ever; log lines pass by level and at most once a second.
// Method: the published first numbers of SplitMix64; a gate that is shown times; a sink that keeps
// its lines.
#include <gtest/gtest.h>

#include <array>
#include <string>
#include <vector>

#include "runtime/log.h"
#include "runtime/system/random.h"

namespace trireme { inline namespace v0 { namespace {

using std::chrono::milliseconds;
using std::chrono::nanoseconds;
using std::chrono::seconds;

TEST(Random, GivesTheGoldenSequence) {
  Random random(1234567);
  for (const uint64_t golden :
       {6457827717110365317ULL, 3203168211198807973ULL, 9817491932198370423ULL,
        4593380528125082431ULL, 16408922859458223821ULL}) {
    EXPECT_EQ(random.next(), golden);
  }
}

TEST(Random, BelowStaysBelowAndMeetsEverything) {
  Random random(1);
  std::array<int, 7> met{};
  for (int i = 0; i < 7'000; ++i) ++met[random.below(7)];
  for (const int count : met) EXPECT_NEAR(count, 1'000, 200);
  EXPECT_EQ(random.below(1), 0u);
}

TEST(Random, ChanceKnowsNeverAndAlways) {
  Random random(2);
  int hits = 0;
  for (int i = 0; i < 10'000; ++i) {
    EXPECT_FALSE(random.chance(0, 5));
    EXPECT_TRUE(random.chance(5, 5));
    hits += random.chance(1, 4) ? 1 : 0;
  }
  EXPECT_NEAR(hits, 2'500, 250);
}

TEST(LogGate, OpensOnceASecondAndCountsTheOthers) {
  LogGate gate;
  uint64_t suppressed = 99;
  TimePoint now{seconds(100)};
  EXPECT_TRUE(gate.open(now, suppressed));
  EXPECT_EQ(suppressed, 0u);
  for (int i = 0; i < 5; ++i) EXPECT_FALSE(gate.open(now + milliseconds(i), suppressed));
  EXPECT_FALSE(gate.open(now + seconds(1) - nanoseconds(1), suppressed));
  EXPECT_TRUE(gate.open(now + seconds(1), suppressed));
  EXPECT_EQ(suppressed, 6u);
  EXPECT_TRUE(gate.open(now + seconds(50), suppressed));
  EXPECT_EQ(suppressed, 0u);
}

TEST(LogGates, OpenOnceASecondForEachSource) {
  LogGates gates;
  const int sources[2] = {};
  uint64_t suppressed = 99;
  TimePoint now{seconds(100)};
  EXPECT_TRUE(gates.open(&sources[0], now, suppressed));
  EXPECT_EQ(suppressed, 0u);
  for (int i = 0; i < 5; ++i) EXPECT_FALSE(gates.open(&sources[0], now, suppressed));
  EXPECT_TRUE(gates.open(&sources[1], now, suppressed));
  EXPECT_EQ(suppressed, 0u);
  EXPECT_TRUE(gates.open(&sources[0], now + seconds(1), suppressed));
  EXPECT_EQ(suppressed, 5u);
}

TEST(Printable, LetsNobodyForgeALineOrColourATerminal) {
  EXPECT_EQ(printable("Grüße \\ \"x\"", 100), "Grüße \\ \"x\"");
  EXPECT_EQ(printable(std::string_view("a\nb\r\x1b[1m\0\x7f", 10), 100),
            "a\\x0ab\\x0d\\x1b[1m\\x00\\x7f");
  EXPECT_EQ(printable("12345", 5), "12345");
  EXPECT_EQ(printable("123456", 5), "12345...");
}

TEST(Log, PassesItsLevelAndAbove) {
  std::vector<std::string> lines;
  const Log log(
      [&lines](LogLevel level, std::string_view line) {
        lines.push_back(std::to_string(static_cast<int>(level)) + " " + std::string(line));
      },
      LogLevel::kWarning);
  log.write(LogLevel::kDebug, "a");
  log.info("b");
  log.warning("c");
  log.error("d");
  EXPECT_EQ(lines, (std::vector<std::string>{"2 c", "3 d"}));
}

TEST(Log, WithoutSinkItWritesOneLineToStandardError) {
  const Log log({}, LogLevel::kInfo);
  ::testing::internal::CaptureStderr();
  log.info(std::string_view("only this much", 4));
  EXPECT_EQ(::testing::internal::GetCapturedStderr(), "trireme info: only\n");
}

}  // namespace
}}  // namespace trireme
