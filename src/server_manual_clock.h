// The clock of conversations: it stands still until a test moves it.
//
// Thread: the one that runs the test; a handler that waits moves it, too.
#pragma once

#include <algorithm>
#include <chrono>

#include "runtime/system/clock.h"

namespace trireme { inline namespace v0 { namespace testing {

class ManualClock final : public Clock {
 public:
  static constexpr TimePoint kEnd = kNever - Duration(1);

  TimePoint now() override { return now_; }
  std::chrono::system_clock::time_point wall_now() override { return {}; }
  void advance(Duration time) { now_ = after(time); }
  // No effect if it is past that already.
  void advance_to(TimePoint time) { now_ = std::min(std::max(now_, time), kEnd); }
  // From now on: the end at most, for what is due never is not due then.
  TimePoint after(Duration time) const { return std::min(time_after(now_, time), kEnd); }

 private:
  TimePoint now_{std::chrono::hours(1)};
};

}}}  // namespace trireme::testing
