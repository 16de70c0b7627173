// What a thread of a model knows: the memory model of C++ as clocks and views.
//
// Test support. Thread: all of a model runs on one thread of the operating system.
//
// A location keeps all its stores, in modification order, which is the order in which the explorer
// executed them. With each store comes what its writer released by it. A load may read any store
// that is not older than the thread's view of that location:
// - the thread's own reads and writes of the location raise its view (coherence);
// - whoever acquires a store takes over the view and the clock that were released with it;
// - the seq_cst operations have one order, which need not be that of execution: each read or write
//   adds what must come before what (the same thread, what happens before, the order within one
//   location), and a value that would close a circle is not read.
// Two accesses of plain data, one of them a write, race if the clocks do not order them.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <bitset>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace trireme::model {

inline constexpr size_t kThreadsMax = 6;   // the scenario itself is thread 0
inline constexpr size_t kObjectsMax = 64;  // atomics, mutexes and signals of one execution

inline constexpr size_t kSeqCstMax = 192;  // seq_cst operations of one execution
using SeqCstSet = std::bitset<kSeqCstMax>;

struct Knowledge {
  std::array<uint16_t, kThreadsMax> clock{};
  std::array<uint16_t, kObjectsMax> view{};  // of each location: the oldest store it may read

  SeqCstSet seq_cst;  // the operations that strongly happen before

  void join(const Knowledge& other) {
    seq_cst |= other.seq_cst;
    for (size_t i = 0; i < kThreadsMax; ++i) clock[i] = std::max(clock[i], other.clock[i]);
    for (size_t i = 0; i < kObjectsMax; ++i) view[i] = std::max(view[i], other.view[i]);
  }
};

struct Store {
  uint64_t value = 0;
  Knowledge released;             // what a load that acquires it learns
  SeqCstSet written_by, read_by;  // seq_cst operations
};

// An atomic, a mutex or a signal.
struct Object {
  std::vector<Store> stores;  // an atomic's, oldest first
  bool is_set = false;        // a mutex that is locked, a signal that was given
  Knowledge released;         // what the next owner of the mutex learns
};

// The one order of all seq_cst operations of a run, as far as it is fixed.
class SeqCstOrder {
 public:
  void clear() { count_ = 0; }
  bool is_full() const { return count_ == kSeqCstMax; }
  // May an operation come after all of `before`, and before one of `after`?
  bool fits(const SeqCstSet& before, const SeqCstSet& after) const {
    return (with_what_is_before(before) & after).none();
  }
  // Adds one that fits. Returns its number.
  size_t add(const SeqCstSet& before, const SeqCstSet& after) {
    SeqCstSet all = with_what_is_before(before);
    const size_t number = count_++;
    before_[number] = all;
    all.set(number);
    for (size_t i = 0; i < number; ++i) {
      if (after[i] || (before_[i] & after).any()) before_[i] |= all;
    }
    return number;
  }

 private:
  SeqCstSet with_what_is_before(SeqCstSet set) const {
    SeqCstSet all = set;
    for (size_t i = 0; i < count_; ++i) {
      if (set[i]) all |= before_[i];
    }
    return all;
  }

  std::array<SeqCstSet, kSeqCstMax> before_;  // of each operation
  size_t count_ = 0;
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
