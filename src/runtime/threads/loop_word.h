// The word: one atomic that says who owns an event loop. Everything that makes hand-over safe goes
// through it.
//
// Step: below all steps. Threads: the holder of the loop and the spare that watches it.
//
//                                                .--. relend (CAS-release, next sequence)
//            lend (store-release, next sequence) |  v
//     HELD ---------------------------------------> LENT
//      ^ ^                                           |  |
//      | '--------- take_back (CAS) -----------------'  | take (CAS-acquire, the spare)
//      |                                                v
//      '------ hold (store-release, the spare) ------ TAKEN
//
// 1. HELD: one thread, the holder, owns all of the loop.
// 2. LENT: the holder runs one job and owns only that job. Nobody owns the loop.
// 3. TAKEN: a spare rearranges loop and job, without allocation and without system call. Then it is
//    the holder.
// 4. The sequence grows with every lend, so that a watcher that sees one LENT value at two ticks
//    knows that it is the same job.
// 5. A thread whose take_back fails waits until TAKEN is over (wait_settled) and then owns its job
//    again, alone.
//
// Template over the atomic so that a model checker can run this very code.
#pragma once

#include <atomic>
#include <cstdint>

namespace trireme { inline namespace v0 {

template <template <class> class Atomic = std::atomic>
class BasicLoopWord {
 public:
  enum State : uint64_t { kHeld = 0, kLent = 1, kTaken = 2 };

  // The holder. Returns the word to give to take_back.
  uint64_t lend() {
    const uint64_t held =
        word_.load(std::memory_order_relaxed);  // own store, or synchronised by the one before
    const uint64_t lent = make(sequence(held) + 1, kLent);
    word_.store(lent, std::memory_order_release);  // partner: the CAS in take
    return lent;
  }

  // The thread that lent. True: it is the holder again. False: a spare has the loop.
  bool take_back(uint64_t lent) {
    uint64_t expected = lent;
    // Relaxed: the word is as this thread has left it, so nobody else was at the loop. On failure
    // wait_settled comes next.
    return word_.compare_exchange_strong(expected, make(sequence(lent), kHeld),
                                         std::memory_order_relaxed, std::memory_order_relaxed);
  }

  // The thread that lent, between two handlers of one job: as take_back and lend in one step. True:
  // `lent` is the word of the new lend. False: a spare has the loop.
  bool relend(uint64_t& lent) {
    uint64_t expected = lent;
    const uint64_t next = make(sequence(lent) + 1, kLent);
    // Release: what the job did so far, for the CAS in take. On failure take_back comes next.
    if (!word_.compare_exchange_strong(expected, next, std::memory_order_release,
                                       std::memory_order_relaxed)) {
      return false;
    }
    lent = next;
    return true;
  }

  // A spare. True: the loop is TAKEN, by this thread. `seen` is what load() has returned.
  bool take(uint64_t seen) {
    if (state(seen) != kLent) return false;
    // Acquire: the holder's writes before lend, and the job's before relend.
    return word_.compare_exchange_strong(seen, make(sequence(seen), kTaken),
                                         std::memory_order_acquire, std::memory_order_relaxed);
  }

  // The spare that took. It is the holder now.
  void hold() {
    const uint64_t taken = word_.load(std::memory_order_relaxed);  // own store
    word_.store(make(sequence(taken) + 1, kHeld),
                std::memory_order_release);  // partner: wait_settled
  }

  // True once the spare that took `lent` has finished its rearrangement; from then on the job is
  // the caller's.
  bool settled(uint64_t lent) const {
    const uint64_t now = word_.load(std::memory_order_acquire);  // partner: the store in hold
    return now != make(sequence(lent), kTaken);
  }

  // Any thread. Acquire: what the holder has noted before lend (HeldLoop::lent_service).
  uint64_t load() const { return word_.load(std::memory_order_acquire); }
  static State state(uint64_t word) { return static_cast<State>(word & 3); }
  static uint64_t sequence(uint64_t word) { return word >> 2; }

 private:
  static uint64_t make(uint64_t sequence, State state) { return (sequence << 2) | state; }

  Atomic<uint64_t> word_{0};  // {sequence: 62 bits, state: 2 bits}
};

using LoopWord = BasicLoopWord<>;

}}  // namespace trireme
