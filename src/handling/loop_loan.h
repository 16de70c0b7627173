// The loop that is lent while a handler runs, as the handler's job sees it: it may give the loop
// away before its time.
//
// Step 4. Threads: the holder fills it in; then it is the thread's that runs the job.
#pragma once

#include <atomic>
#include <cstdint>

namespace trireme { inline namespace v0 {

// What a job may do with the loop that is lent for it.
class LentLoop {
 public:
  // The LENT word whose job has asked. Written by that job's thread, read by the watcher.
  std::atomic<uint64_t> asked{0};
  virtual void wake_watcher() = 0;

 protected:
  ~LentLoop() = default;
};

struct LoopLoan {
  LentLoop* by = nullptr;  // null: no loop is lent that somebody could take
  uint64_t asked_as = 0;   // the word as which the handler has given it away
  uint64_t as = 0;         // the LENT word of the handler that runs now

  // The reserve may take the loop at once. Once a handler.
  void give_away() {
    if (by == nullptr || asked_as == as) return;
    asked_as = as;
    by->asked.store(as, std::memory_order_seq_cst);  // partner: Watchdog::look
    by->wake_watcher();
  }
};

}}  // namespace trireme
