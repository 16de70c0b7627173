// What the kernel has told in a turn, and was not given out yet.
//
// Step: below steps 1, 2 and 6. Thread: the holder of the loop. Bounded: by the completions that
// the ring holds; kMany in a turn, and the loop is late.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace trireme { inline namespace v0 { namespace uring {

struct Event {
  enum class Kind : uint8_t { kData, kEnd, kError, kWritable, kHangUp, kUnsent, kAccepted } kind;
  uint32_t who;
  int32_t result = 0;
  uint16_t buffer = 0;
  bool large = false;
};

class Events {
 public:
  static constexpr size_t kMany = 256;

  void add(const Event& event) { events_.push_back(event); }
  // Before all else of this turn that was not taken.
  void add_first(const Event& event) {
    events_.insert(events_.begin() + static_cast<std::ptrdiff_t>(cursor_), event);
  }
  bool has_more() const { return cursor_ < events_.size(); }
  Event take() { return events_[cursor_++]; }
  // All were taken.
  void begin_turn() {
    events_.clear();
    cursor_ = 0;
  }
  bool were_many() const { return events_.size() >= kMany; }

 private:
  std::vector<Event> events_;
  size_t cursor_ = 0;
};

}}}  // namespace trireme::uring
