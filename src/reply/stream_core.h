// What the writer of a streamed reply and the loop of its connection tell each other: how much the
// client has not taken, who waits for room, and that nobody takes more.
//
// Step 5. Threads: the writer, one at a time; the holder of the loop. Owners: the ReplyStream, mail
// on its way, and OpenStreams.
//
// 1. The writer adds to `unsent_` before it posts a piece, the loop subtracts what has left.
// 2. A writer that finds it full says so, then looks again; the loop subtracts, then looks whether
//    somebody has said so (seq_cst on both sides): one of them sees the other.
// 3. `over_` likewise.
#pragma once

#include <atomic>
#include <cstdint>

#include "runtime/threads/threads.h"

namespace trireme { inline namespace v0 {

class StreamCore {
 public:
  // --- The writer ---
  bool is_over() const { return over_.load(std::memory_order_seq_cst); }
  uint64_t unsent() const { return unsent_.load(std::memory_order_seq_cst); }
  void add(uint64_t bytes) { unsent_.fetch_add(bytes, std::memory_order_seq_cst); }
  void take_back(uint64_t bytes) { unsent_.fetch_sub(bytes, std::memory_order_seq_cst); }
  // Parks until at most `low` bytes are unsent, nobody takes more, or `until`.
  void wait_room(Threads& threads, uint64_t low, TimePoint until) {
    waits_.store(true, std::memory_order_seq_cst);
    if (unsent() > low && !is_over()) threads.park(spot_, until);
    waits_.store(false, std::memory_order_relaxed);
  }
  // try_write() has said kFull: its session is to be told.
  void want_call() { wants_call_.store(true, std::memory_order_relaxed); }

  // --- The holder ---
  void note_left(uint64_t bytes, uint64_t low, Threads& threads) {
    if (unsent_.fetch_sub(bytes, std::memory_order_seq_cst) - bytes <= low) wake(threads);
  }
  void end(Threads& threads) {
    over_.store(true, std::memory_order_seq_cst);
    wake(threads);
  }
  // A session that waits for this stream need not be called yet.
  bool keeps_waiting(uint64_t low) const {
    return wants_call_.load(std::memory_order_relaxed) && unsent() > low;
  }
  void note_called() { wants_call_.store(false, std::memory_order_relaxed); }

 private:
  void wake(Threads& threads) {
    if (waits_.load(std::memory_order_seq_cst)) threads.unpark(spot_);
  }

  std::atomic<uint64_t> unsent_{0};
  std::atomic<bool> over_{false};
  std::atomic<bool> waits_{false};
  std::atomic<bool> wants_call_{false};
  ParkSpot spot_;
};

}}  // namespace trireme
