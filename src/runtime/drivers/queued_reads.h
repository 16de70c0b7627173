// Channels that can be read by what their driver knows, without an event: those of this turn, and
// those that are found in it and are for the next one.
//
// Step: below step 2. Thread: the holder of the loop. Bounded: a channel is in it once at most,
// which its driver sees to by a flag of the channel.
#pragma once

#include <algorithm>
#include <cstddef>
#include <vector>

#include "runtime/drivers/channel.h"

namespace trireme { inline namespace v0 {

class QueuedReads {
 public:
  void add(Channel& channel) { next_.push_back(&channel); }
  bool has_next() const { return !next_.empty(); }

  // What was added is for this turn; what is left of the turn before is forgotten.
  void begin_turn() {
    now_.swap(next_);
    next_.clear();
    cursor_ = 0;
  }
  // Of this turn; also behind the last one.
  bool has_now() const { return !now_.empty(); }
  // Null: there is no further one in this turn.
  Channel* take() {
    while (cursor_ < now_.size()) {
      if (Channel* const channel = now_[cursor_++]) return channel;
    }
    return nullptr;
  }
  void drop_turn() { now_.clear(); }
  // The channel closes.
  void forget(Channel& channel) {
    std::replace(now_.begin(), now_.end(), &channel, static_cast<Channel*>(nullptr));
    std::erase(next_, &channel);
  }

 private:
  std::vector<Channel*> now_, next_;  // null in `now_`: closed meanwhile
  size_t cursor_ = 0;
};

}}  // namespace trireme
