// The two clocks of a measurement, in nanoseconds.
#pragma once

#include <cstdint>
#include <ctime>

namespace bench {

inline constexpr int64_t kNanosecondsPerSecond = 1'000'000'000;

inline int64_t read_clock_ns(clockid_t clock) {
  timespec now{};
  clock_gettime(clock, &now);
  return now.tv_sec * kNanosecondsPerSecond + now.tv_nsec;
}

inline int64_t now_ns() { return read_clock_ns(CLOCK_MONOTONIC); }
inline int64_t own_cpu_ns() { return read_clock_ns(CLOCK_THREAD_CPUTIME_ID); }

}  // namespace bench
