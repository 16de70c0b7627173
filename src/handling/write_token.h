// The write token: who may touch the send direction of a connection while one of its requests is on
// a data worker.
//
// Step 5 and 6. Threads: the holder of the loop and the data worker that runs the job.
//
//   kLoop ---grant---> kGranted ---begin (worker, CAS)---> kWriting ---done (worker)---> kWritten
//     ^                   |                                                                 |
//     '---revoke (CAS)----'                                 kLoop <--- finish of the job ---'
//
// 1. The send direction - write queue, gathered replies, number of the next reply - is the loop's,
//    except in kWriting and kWritten: there it is the job's, until the job has come home.
// 2. The loop grants only what it will not need soon: serial ordering, nothing unsent, a driver
//    that allows it.
// 3. The loop that needs it after all revokes. If the worker was first, the loop waits for the job:
//    it keeps pushes aside, and closes by shutdown(SHUT_RDWR) now and the rest when the job comes.
// 4. Only the loop closes the descriptor, so a writing worker never meets a reused one.
//
// All of it is relaxed: the token decides, in one modification order, and publishes nothing. What
// the job needs is published by the ready queue, what it leaves by the mailbox.
//
// Template over the atomic so that a model checker can run this very code.
#pragma once

#include <atomic>
#include <cstdint>

namespace trireme { inline namespace v0 {

template <template <class> class Atomic = std::atomic>
class BasicWriteToken {
 public:
  // The holder, before the job is handed over.
  void grant() { state_.store(kGranted, std::memory_order_relaxed); }
  // The holder, when the job has come home.
  void reset() { state_.store(kLoop, std::memory_order_relaxed); }
  // The holder. True: the send direction is the loop's (again).
  bool revoke() {
    uint8_t granted = kGranted;
    return state_.compare_exchange_strong(granted, kLoop, std::memory_order_relaxed) ||
           granted == kLoop;
  }

  // The data worker. True: the send direction is the job's, until it has come home.
  bool begin() {
    uint8_t granted = kGranted;
    return state_.compare_exchange_strong(granted, kWriting, std::memory_order_relaxed);
  }
  void done() { state_.store(kWritten, std::memory_order_relaxed); }

  // The holder, when the job has come home.
  bool was_written() const { return state_.load(std::memory_order_relaxed) == kWritten; }

 private:
  static constexpr uint8_t kLoop = 0, kGranted = 1, kWriting = 2, kWritten = 3;
  Atomic<uint8_t> state_{kLoop};
};

using WriteToken = BasicWriteToken<>;

}}  // namespace trireme
