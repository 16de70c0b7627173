// The requests of one connection whose replies have not left, where more must be known of them
// than their number: with a handler deadline, with a decoder that leaves tags, with replies out of
// order.
//
// Step 5. Thread: the holder of the loop. Bounded by in_flight_max, and as many replies that a
// decoder has given by itself.
#pragma once

#include <cstdint>
#include <map>
#include <utility>

#include "handling/job.h"
#include "runtime/system/clock.h"
#include "trireme/frame.h"

namespace trireme { inline namespace v0 {

// What a decoder has left with a request.
struct RequestMark {
  ReplyTag tag{};
  uint32_t code = 0;
};

class OpenRequests {
 public:
  struct Entry {
    TimePoint read_at;
    Job* job = nullptr;  // null: there is none, or it is finished
    RequestMark mark{};
  };

  // The latest one. Throws where the system has no memory.
  void open(uint64_t number, const Entry& entry) {
    if (spare_.empty()) {
      entries_.emplace_hint(entries_.end(), number, entry);
      return;
    }
    spare_.key() = number;
    spare_.mapped() = entry;
    entries_.insert(entries_.end(), std::move(spare_));
  }
  // Null: its reply has left.
  Entry* find(uint64_t number) {
    const auto found = entries_.find(number);
    return found != entries_.end() ? &found->second : nullptr;
  }
  // Its reply leaves.
  void retire(uint64_t number) {
    const auto found = entries_.find(number);
    if (found != entries_.end()) spare_ = entries_.extract(found);
  }
  bool empty() const { return entries_.empty(); }
  // Unless it is empty: the one that was read first.
  uint64_t oldest() const { return entries_.begin()->first; }
  TimePoint oldest_read_at() const { return entries_.begin()->second.read_at; }
  void clear() { entries_.clear(); }

 private:
  using Entries = std::map<uint64_t, Entry>;  // by number

  Entries entries_;
  Entries::node_type spare_;  // memory for the next one
};

}}  // namespace trireme
