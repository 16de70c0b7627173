// Who among the channels is the only one that speaks, as far as those who look can tell.
//
// Step: below step 1. Thread: its owner's. While a loop polls and one connection alone has
// requests, its socket can be asked at once; the others must still be asked now and then.
#pragma once

#include <cstdint>

#include "runtime/drivers/channel.h"
#include "runtime/system/clock.h"

namespace trireme { inline namespace v0 {

class SoleSpeaker {
 public:
  // The channel that may be asked alone at this look; null: all are to be asked.
  Channel* to_ask(TimePoint now) {
    if (run_ < kRun || now - looked_at_all_ > kAloneMax) return nullptr;
    return ++looks_ % kLooksAtAll != 0 ? last_ : nullptr;
  }
  // The caller asks all.
  void looks_at_all(TimePoint now) { looked_at_all_ = now; }
  // A look at all channels has found it ready. A listener, or null for a wake-up, speaks, too, but
  // is never asked.
  void has_spoken(Channel* channel) {
    if (channel != last_) run_ = 0;
    last_ = channel;
    if (channel != nullptr && channel->role == Channel::Role::kStream && run_ < kRun) ++run_;
  }
  void forget(const Channel* channel) {
    if (channel == last_) *this = {};
  }

 private:
  static constexpr uint32_t kRun = 4;         // found so often in a row, it is believed to be alone
  static constexpr uint32_t kLooksAtAll = 8;  // one look of so many is at all channels
  // What is done with a find takes its time, too: the others do not wait for several of those.
  static constexpr Duration kAloneMax = std::chrono::microseconds(100);

  Channel* last_ = nullptr;
  uint32_t run_ = 0;
  uint32_t looks_ = 0;
  TimePoint looked_at_all_{};
};

}}  // namespace trireme
