// Time as the server sees it: a monotonic clock that can be real, manual or simulated.
//
// Step: below all steps. Thread: any.
#pragma once

#include <algorithm>
#include <chrono>

namespace trireme { inline namespace v0 {

// Nanoseconds since an arbitrary start; never goes back, not moved by wall-clock changes.
using Duration = std::chrono::nanoseconds;
using TimePoint = std::chrono::time_point<std::chrono::steady_clock, Duration>;

// "No deadline". Compares later than every real time.
inline constexpr TimePoint kNever = TimePoint::max();

// `start` + `time`, or kNever when that is later than any time: "no limit" is often written as
// Duration::max().
constexpr TimePoint time_after(TimePoint start, Duration time) {
  return time < kNever - start ? start + time : kNever;
}

class Clock {
 public:
  virtual ~Clock() = default;
  virtual TimePoint now() = 0;                                   // Any thread.
  virtual std::chrono::system_clock::time_point wall_now() = 0;  // Any thread. For logs only.
};

// Any thread. Zero when that has passed, Duration::max() for kNever.
inline Duration time_until(TimePoint deadline, Clock& clock) {
  if (deadline == kNever) return Duration::max();
  return std::max(deadline - clock.now(), Duration(0));
}

}}  // namespace trireme
