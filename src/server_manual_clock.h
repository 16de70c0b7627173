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
  TimePoint now() override { return now_; }
  std::chrono::system_clock::time_point wall_now() override { return {}; }
  void advance(Duration time) { now_ += time; }
  // No effect if it is past that already.
  void advance_to(TimePoint time) { now_ = std::max(now_, time); }

 private:
  TimePoint now_{std::chrono::hours(1)};
};

}}}  // namespace trireme::testing
