// The clocks of a measurement, in nanoseconds, and waiting by them.
//
// Part of the load engine; any thread.
#pragma once

#include <cstdint>
#include <ctime>

namespace load {

inline constexpr int64_t kNanosecondsPerSecond = 1'000'000'000;

inline int64_t read_clock_ns(clockid_t clock) {
  timespec now{};
  clock_gettime(clock, &now);
  return now.tv_sec * kNanosecondsPerSecond + now.tv_nsec;
}

inline int64_t now_ns() { return read_clock_ns(CLOCK_MONOTONIC); }
inline int64_t own_cpu_ns() { return read_clock_ns(CLOCK_THREAD_CPUTIME_ID); }

inline timespec timespec_of(int64_t nanoseconds) {
  return {.tv_sec = nanoseconds / kNanosecondsPerSecond,
          .tv_nsec = nanoseconds % kNanosecondsPerSecond};
}

inline double seconds_of(int64_t nanoseconds) {
  return static_cast<double>(nanoseconds) / static_cast<double>(kNanosecondsPerSecond);
}

// Returns early when a signal arrives.
inline void blocking_sleep_ns(int64_t nanoseconds) {
  const timespec duration = timespec_of(nanoseconds);
  nanosleep(&duration, nullptr);
}

}  // namespace load
