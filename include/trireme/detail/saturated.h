// Times that users give. Not for users.
#pragma once

#include <chrono>

namespace trireme { inline namespace v0 { namespace detail {

// Any thread. `time` in nanoseconds, or the longest time that they can hold: 292 years.
// std::chrono would turn hours::max() into an hour ago.
template <class Rep, class Period>
constexpr std::chrono::nanoseconds saturated(std::chrono::duration<Rep, Period> time) {
  using std::chrono::nanoseconds;
  using Seconds = std::chrono::duration<double>;
  if (Seconds(time) >= Seconds(nanoseconds::max())) return nanoseconds::max();
  if (Seconds(time) <= Seconds(nanoseconds::min())) return nanoseconds::min();
  return std::chrono::duration_cast<nanoseconds>(time);
}

}}}  // namespace trireme::detail
