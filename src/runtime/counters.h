// The books of one event loop: plain counts that any thread may read.
//
// Step: below all steps. Written by the holder of the loop, so an increment is a load and a store
// without lock; the word orders one holder after the other. `SharedCounter` is for the few that
// several threads write.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>

#include "trireme/close_reason.h"

namespace trireme { inline namespace v0 {

class Counter {
 public:
  void add(uint64_t amount = 1) {
    // relaxed: a count publishes nothing; one writer at a time.
    value_.store(value_.load(std::memory_order_relaxed) + amount, std::memory_order_relaxed);
  }
  void subtract(uint64_t amount) { add(~amount + 1); }
  uint64_t get() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<uint64_t> value_{0};
};

class SharedCounter {
 public:
  void add(uint64_t amount = 1) { value_.fetch_add(amount, std::memory_order_relaxed); }
  void subtract(uint64_t amount = 1) { value_.fetch_sub(amount, std::memory_order_relaxed); }
  uint64_t get() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<uint64_t> value_{0};
};

// What each name counts is said in trireme/stats.h.
struct LoopCounters {
  Counter loop_turns, late_turns, reads_paused, bytes_in, bytes_out;
  SharedCounter wakeups;
  Counter descriptors_opened, descriptors_closed;
  Counter accepted, refused, accept_failures, accept_pauses;  // by this loop, for any
  Counter adopted, slots_made, slots_gone;
  std::array<Counter, kCloseReasonCount> closed_by_reason;
  Counter requests, replies, replies_dropped, unanswered, refused_frames, partial_requests_dropped;
  Counter handler_exceptions, handler_deadlines, stale_ids;
  Counter jobs_inline, jobs_on_data_workers, direct_writes;
  SharedCounter hand_overs, hand_overs_asked, hand_overs_told, stalls;
};

}}  // namespace trireme
