// Goal: durations, sizes and counts of the command line mean what they say, and nothing else
// passes. Method: tables.
#include "load/units.h"

#include <gtest/gtest.h>

#include <string>

namespace load { namespace {

using namespace std::chrono_literals;

TEST(Units, Durations) {
  const struct {
    std::string text;
    std::chrono::nanoseconds time;
  } good[] = {{"0", 0ns},   {"0s", 0ns},  {"250us", 250us}, {"10ms", 10ms},  {"5s", 5s},
              {"90s", 90s}, {"2m", 2min}, {"1h", 1h},       {"8760h", 8760h}};
  for (const auto& each : good) {
    const auto parsed = parse_duration(each.text);
    ASSERT_TRUE(parsed.ok()) << each.text << ": " << parsed.error().message;
    EXPECT_EQ(parsed.value(), each.time) << each.text;
  }
  for (const std::string text :
       {"", " ", "5", "00", "s", "-5s", "+5s", "5 s", " 5s", "5s ", "1.5s", "5S", "5sec", "1h30m",
        "8761h", "99999999999999999999s", "18446744073709551615h", "0x5s", "inf"}) {
    const auto parsed = parse_duration(text);
    EXPECT_FALSE(parsed.ok()) << text;
    EXPECT_EQ(parsed.error().code, tr::Error::Code::kUsage) << text;
    EXPECT_NE(parsed.error().message.find('"' + text + '"'), std::string::npos) << text;
  }
}

TEST(Units, Sizes) {
  const struct {
    std::string text;
    uint64_t bytes;
  } good[] = {{"0", 0},          {"1", 1},          {"1500", 1500},
              {"64KiB", 65'536}, {"1MiB", 1 << 20}, {"2GiB", uint64_t{2} << 30}};
  for (const auto& each : good) {
    const auto parsed = parse_size(each.text);
    ASSERT_TRUE(parsed.ok()) << each.text << ": " << parsed.error().message;
    EXPECT_EQ(parsed.value(), each.bytes) << each.text;
  }
  for (const std::string text : {"", "KiB", "64KB", "64kib", "64K", "-1", "+1", "1 KiB", "1.5MiB",
                                 "17179869184GiB", "18446744073709551616", "64KiB ", "1TiB"}) {
    EXPECT_FALSE(parse_size(text).ok()) << text;
  }
}

// A message never proposes what is refused.
TEST(Units, ErrorsProposeWhatIsAccepted) {
  const DurationRange positive{.min = kDurationMin};
  EXPECT_EQ(parse_duration_in("0", positive).error().message,
            "expected a duration such as 250us, 10ms, 5s, 2m, 1h, at least 1us, at most a year, "
            "got \"0\"");
  EXPECT_EQ(parse_duration_in("1us", positive).value(), 1us);
  EXPECT_EQ(parse_duration_in("11ms", {.max = 10ms}).error().message,
            "expected a duration such as 250us, 10ms or 0, at most 10ms, got \"11ms\"");
  EXPECT_EQ(parse_size_in("2GiB", {1, 1 << 30}).error().message,
            "expected a size such as 64KiB, 1MiB or a number of bytes, at least 1, at most 1GiB, "
            "got \"2GiB\"");
  EXPECT_FALSE(parse_size_in("0", {1, 1 << 30}).ok());
}

TEST(Units, Counts) {
  EXPECT_EQ(parse_count("0", {0, 5}).value(), 0u);
  EXPECT_EQ(parse_count("5", {1, 5}).value(), 5u);
  for (const std::string text :
       {"", "0", "6", "-1", "+1", "1 ", " 1", "1.0", "two", "5s", "18446744073709551616"}) {
    EXPECT_FALSE(parse_count(text, {1, 5}).ok()) << text;
  }
}

}  // namespace
}  // namespace load
