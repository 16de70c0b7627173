// The timers of one session, by tag. Rules only; the wheel of the loop has one timer for all of
// them (SessionEvents).
//
// Step 4. Thread: the holder of the loop. Bounded by Limits::timers_max, which is small: every call
// looks at all of them.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "runtime/system/clock.h"

namespace trireme { inline namespace v0 {

class SessionTimers {
 public:
  // Sets the timer of this tag, or moves it. True: there was one. Throws where the system has no
  // memory; then nothing has changed.
  bool set(uint64_t tag, TimePoint due) {
    const auto found = find(tag);
    const bool moves = found != timers_.end();
    timers_.push_back({due, tag});
    if (moves) timers_.erase(find(tag));  // the first of the two
    return moves;
  }
  // False: there is none.
  bool cancel(uint64_t tag) {
    const auto found = find(tag);
    if (found == timers_.end()) return false;
    timers_.erase(found);
    return true;
  }
  // Takes the one that is due for the longest time; of those of one time the first that was set.
  std::optional<uint64_t> take_due(TimePoint now) {
    const auto first = earliest();
    if (first == timers_.end() || first->due > now) return {};
    const uint64_t tag = first->tag;
    timers_.erase(first);
    return tag;
  }
  // When the first one is due; kNever: there is none.
  TimePoint next() const {
    const auto first = earliest();
    return first == timers_.end() ? kNever : first->due;
  }
  size_t count() const { return timers_.size(); }
  void clear() { timers_.clear(); }

 private:
  struct One {
    TimePoint due;
    uint64_t tag;
  };

  std::vector<One>::iterator find(uint64_t tag) {
    return std::find_if(timers_.begin(), timers_.end(),
                        [tag](const One& one) { return one.tag == tag; });
  }
  std::vector<One>::const_iterator earliest() const {
    return std::min_element(timers_.begin(), timers_.end(),
                            [](const One& a, const One& b) { return a.due < b.due; });
  }

  std::vector<One> timers_;  // in the order in which they were set
};

}}  // namespace trireme
