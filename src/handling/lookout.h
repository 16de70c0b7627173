// Sees within microseconds that a handler waits: a thread that runs only while the CPU of its loop
// has nothing else to do.
//
// Step 4. Threads: its own (`look-N`), and the holder of the loop, which calls it.
//
// 1. Its thread is SCHED_IDLE (sched(7)) and stays on the CPU on which the holder was last. While
//    the holder works it does not run, and costs nothing. When the holder waits in a handler, it is
//    next: it sees the loop LENT, and the CPU clock of the holder stands still. Then the job waits,
//    and the reserve is told to take the loop, a tick before it would have seen that itself.
// 2. A thread that looks spins. So it looks only while it is alert, for kAlertTime after the last
//    job that lost its loop by itself, and while the loop sleeps it parks after as long as its
//    PollWindow says; the holder that wakes calls it.
// 3. It owns nothing, and nothing waits for it: the drain asks it to end, the destructor of the
//    server joins it if it ends soon. A late one keeps the crew alive until it has seen that.
// 4. All of it is a hint. Where the system refuses the policy, where other programs leave it no
//    CPU, or where a call is missed, the reserve finds at its tick what was not told.
#pragma once

#include <atomic>
#include <memory>
#include <utility>

#include "runtime/event_loop.h"
#include "runtime/system/clock.h"
#include "runtime/threads/poll_window.h"
#include "runtime/threads/threads.h"

namespace trireme { inline namespace v0 {

class Lookout {
 public:
  // `owner`: of this and of all that its thread looks at; the thread keeps it alive. Null where
  // the platform does not outlive the server: there the thread is always joined.
  Lookout(const Platform& platform, EventLoop& loop, std::weak_ptr<const void> owner)
      : platform_(platform), loop_(loop), owner_(std::move(owner)) {}

  // The holder. It looks out from now on, for kAlertTime. Starts the thread at the first time.
  // True: it did so before.
  bool alert(TimePoint now);
  // The holder, when it has waited for events.
  void note_turn() {
    if (alert_.load(std::memory_order_relaxed)) note_turn_while_alert();
  }
  // The new holder, before it lends anything: its Threads::current_id.
  void note_holder(uint64_t thread) { holder_.store(thread, std::memory_order_relaxed); }
  // Any thread. Hints.
  bool is_alert() const { return alert_.load(std::memory_order_relaxed); }
  // False: the system lets it not, so it will tell nothing.
  bool works() const { return works_.load(std::memory_order_relaxed); }

  // The LENT word whose job waits. Read by the watcher of the loop.
  uint64_t told() const { return told_.load(std::memory_order_seq_cst); }

  // One thread, in the end. end() when its loop has no holder any more, then join_until(), or else
  // detach(): on busy CPUs a thread of the lowest priority may need seconds to end.
  void end();
  bool join_until(TimePoint until);
  void detach();

 private:
  static constexpr Duration kAlertTime = std::chrono::seconds(1);
  static constexpr Duration kSpinMax = std::chrono::microseconds(50);
  static constexpr int kLooksMax = 64;  // at a loop that is awake, while nothing changes

  void note_turn_while_alert();
  void main();
  bool is_in_time() const;
  bool look_out();
  void look_at_job(uint64_t word);
  void follow_holder();
  void wait_until_called(bool asleep);

  const Platform platform_;
  EventLoop& loop_;
  // Its thread and the server share the crew, and with it all memory that this class touches.
  const std::weak_ptr<const void> owner_;
  // The holder's.
  std::unique_ptr<Thread> thread_;
  std::atomic<bool> started_{false};  // then thread_ is set, for ever
  // Hints: relaxed, they publish nothing.
  std::atomic<bool> works_{true};
  std::atomic<bool> alert_{false};
  std::atomic<bool> wants_call_{false};
  std::atomic<TimePoint> until_{TimePoint::min()};
  std::atomic<uint64_t> holder_{0};
  std::atomic<int> holder_cpu_{-1};
  std::atomic<uint64_t> told_{0};
  std::atomic<bool> ends_{false};
  ParkSpot spot_;
  // Its thread's.
  PollWindow window_{kSpinMax};
  uint64_t seen_ = 0;         // the word at the last look
  TimePoint asleep_since_{};  // when the loop was first seen asleep, this time
  int cpu_ = -1;              // on which it stays
};

}}  // namespace trireme
