// Whether a loop waits for a job that posts itself home quietly.
//
// Step 5. Threads: the holder of the loop, and the data worker that runs the job.
//
//   holder:      flag = awaited;      is there mail?    then sleep      (await)
//   data worker: push the job;        flag is awaited?  then wake it    (is_awaited)
//
// All four are seq_cst: either the holder sees the job, or the data worker sees the flag.
//
// Template over the atomic so that a model checker can run this very code.
#pragma once

#include <atomic>

namespace trireme { inline namespace v0 {

template <template <class> class Atomic = std::atomic>
class BasicReturnFlag {
 public:
  // The holder, before the job is handed over; relaxed: the ready queue publishes it.
  void reset() { awaited_.store(false, std::memory_order_relaxed); }
  // The holder, before it looks into its mailbox for the last time and sleeps.
  void await() { awaited_.store(true, std::memory_order_seq_cst); }
  // The data worker, after it has posted the job.
  bool is_awaited() const { return awaited_.load(std::memory_order_seq_cst); }

 private:
  Atomic<bool> awaited_{false};
};

using ReturnFlag = BasicReturnFlag<>;

}}  // namespace trireme
