// How long to poll before sleeping: a bound that shrinks to nothing where polling finds nothing.
//
// Step: below all steps. Thread: one, its owner's. A wake-up of a thread on another CPU costs 10 to
// 40 us, a look by one that polls 0.2 to 1 us; but one that finds nothing is CPU time lost. So
// after each sleep the window is set by what polling would have done: it doubles when the sleep was
// shorter than the bound (polling would have found what ended it), and halves when it was longer.
// (The rule of the Linux hypervisor for halted virtual CPUs: Documentation/virt/kvm/halt-polling.)
#pragma once

#include <algorithm>

#include "runtime/system/clock.h"

namespace trireme { inline namespace v0 {

class PollWindow {
 public:
  static constexpr Duration kLeast = std::chrono::microseconds(5);

  PollWindow() = default;
  // `max` zero: never polls.
  explicit PollWindow(Duration max) : max_(max) {}

  bool is_on() const { return max_ != Duration(0); }
  // For how long to poll now; zero: sleep at once.
  Duration time() const { return time_; }
  // A sleep has ended after `time`, or what was waited for came after so long by polling. What ends
  // by itself, as a timer does, is not found by polling: Duration::max().
  void waited(Duration time) {
    if (max_ == Duration(0)) return;
    if (time < max_) {
      time_ = std::min(max_, std::max(2 * time_, kLeast));
    } else {
      time_ = time_ / 2 < kLeast ? Duration(0) : time_ / 2;
    }
  }

 private:
  Duration max_{0};
  Duration time_{0};
};

}}  // namespace trireme
