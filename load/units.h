// Numbers as people write them in scripts and on command lines: durations, sizes, counts.
//
// Part of the load engine, and of the command line of the tool. Pure functions.
#pragma once

#include <chrono>
#include <cstdint>
#include <string_view>

#include "trireme/result.h"

namespace load {

namespace tr = trireme;

// Any thread. "250us", "10ms", "5s", "2m", "1h", or "0". Whole numbers only. The error is a phrase
// that says what is expected, of code kUsage.
tr::Result<std::chrono::nanoseconds> parse_duration(std::string_view text);

// The shortest one above 0, and the longest.
inline constexpr std::chrono::nanoseconds kDurationMin = std::chrono::microseconds(1);
inline constexpr std::chrono::nanoseconds kDurationMax = std::chrono::hours(365 * 24);

// What a duration may be, both ends included.
struct DurationRange {
  std::chrono::nanoseconds min{0};
  std::chrono::nanoseconds max = kDurationMax;
};

// Any thread. As parse_duration, of a duration in `range`: the error proposes nothing else.
tr::Result<std::chrono::nanoseconds> parse_duration_in(std::string_view text, DurationRange range);

// Any thread. "64KiB", "1MiB", "2GiB", or a number of bytes. As parse_duration.
tr::Result<uint64_t> parse_size(std::string_view text);

// What a size may be, both ends included.
struct SizeRange {
  uint64_t min;
  uint64_t max;
};

// Any thread. As parse_size, of a size in `range`.
tr::Result<uint64_t> parse_size_in(std::string_view text, SizeRange range);

// What a count may be, both ends included.
struct CountRange {
  uint64_t min;
  uint64_t max;
};

// Any thread. A whole number in `range`. As parse_duration.
tr::Result<uint64_t> parse_count(std::string_view text, CountRange range);

}  // namespace load
