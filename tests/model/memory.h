// What a thread of a model knows: the memory model of C++ as clocks and views.
//
// Test support. Thread: all of a model runs on one thread of the operating system.
//
// A location keeps all its stores, in modification order, which is the order in which the explorer
// executed them. With each store comes what its writer released by it. A load may read any store
// that is not older than the thread's view of that location:
// - the thread's own reads and writes of the location raise its view (coherence);
// - whoever acquires a store takes over the view and the clock that were released with it;
// - a seq_cst load does not read behind the last seq_cst store of its location: the one order of
// all
//   seq_cst operations is the order of execution.
// Two accesses of plain data, one of them a write, race if the clocks do not order them.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace trireme::model {

inline constexpr size_t kThreadsMax = 6;   // the scenario itself is thread 0
inline constexpr size_t kObjectsMax = 64;  // atomics, mutexes and signals of one execution

struct Knowledge {
  std::array<uint16_t, kThreadsMax> clock{};
  std::array<uint16_t, kObjectsMax> view{};  // of each location: the oldest store it may read

  void join(const Knowledge& other) {
    for (size_t i = 0; i < kThreadsMax; ++i) clock[i] = std::max(clock[i], other.clock[i]);
    for (size_t i = 0; i < kObjectsMax; ++i) view[i] = std::max(view[i], other.view[i]);
  }
};

struct Store {
  uint64_t value = 0;
  Knowledge released;  // what a load that acquires it learns
};

// An atomic, a mutex or a signal.
struct Object {
  std::vector<Store> stores;  // an atomic's, oldest first
  size_t last_seq_cst = 0;    // the index of its last seq_cst store
  bool is_set = false;        // a mutex that is locked, a signal that was given
  Knowledge released;         // what the next owner of the mutex learns
};

inline bool acquires(std::memory_order order) {
  return order == std::memory_order_acquire || order == std::memory_order_acq_rel ||
         order == std::memory_order_seq_cst || order == std::memory_order_consume;
}
inline bool releases(std::memory_order order) {
  return order == std::memory_order_release || order == std::memory_order_acq_rel ||
         order == std::memory_order_seq_cst;
}

}  // namespace trireme::model
