// What one event loop has done: plain counts that any thread may read.
//
// Step: below all steps. Written by the holder of the loop, so an increment is a load and a store
// without lock; the word orders one holder after the other. `SharedCounter` is for the few that
// several threads write.
#pragma once

#include <atomic>
#include <cstdint>

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

// What loop and driver count; each name is said in trireme/stats.h.
struct LoopCounters {
  Counter loop_turns, late_turns, bytes_in, bytes_out;
  SharedCounter wakeups;
  Counter descriptors_opened, descriptors_closed;
};

}}  // namespace trireme
