// An event loop: driver, timers, mailbox, and the word that says who holds them. An object, not a
// thread.
//
// Step: below steps 1, 2, 5 and 6. Thread: the holder, functions marked `Any thread.` excepted. It
// knows no request; what is done with its completions and its mail is the business of the I/O
// worker (or the Listener) that is built around it.
//
// Sleeping, waking and watching share one atomic: src/runtime/threads/sleep_word.h.
#pragma once

#include <atomic>
#include <memory>

#include "runtime/counters.h"
#include "runtime/drivers/driver.h"
#include "runtime/mailbox.h"
#include "runtime/threads/annotations.h"
#include "runtime/threads/loop_word.h"
#include "runtime/threads/poll_window.h"
#include "runtime/threads/sleep_word.h"
#include "runtime/threads/threads.h"
#include "runtime/timer_wheel.h"

namespace trireme { inline namespace v0 {

class CAPABILITY("event loop") EventLoop {
 public:
  EventLoop(const Platform& platform, uint32_t index);
  ~EventLoop();
  EventLoop(const EventLoop&) = delete;
  EventLoop& operator=(const EventLoop&) = delete;

  // Before start(). Must be called once; the loop owns the driver.
  void use_driver(std::unique_ptr<Driver> driver);

  // Before start(). How long it may poll before it sleeps.
  void set_poll_time_max(Duration time) { poll_window_ = PollWindow(time); }

  uint32_t index() const { return index_; }
  // Before start(), after use_driver().
  Driver::Traits driver_traits() const NO_THREAD_SAFETY_ANALYSIS { return driver_->traits(); }

  // Any thread. Takes ownership of the mail and wakes the holder if it sleeps.
  void post(std::unique_ptr<Mail> mail);

  // Any thread. The same without waking: the holder finds it when it wakes for another reason. Who
  // posts quietly must look afterwards whether the loop waits for this, or call wake_if_asleep in
  // the end.
  void post_quietly(std::unique_ptr<Mail> mail) { mailbox_.push(mail.release()); }
  void wake_if_asleep();

  // Any thread. A hint: the holder waits for events.
  bool asleep() const { return sleep_.asleep(); }
  // Any thread. A hint: it has nothing to do, asleep or polling.
  bool idles() const { return asleep() || polling_.load(std::memory_order_relaxed); }

  // Any thread. The books of its timers.
  uint64_t timers_made() const NO_THREAD_SAFETY_ANALYSIS { return timers_.made(); }
  uint64_t timers_gone() const NO_THREAD_SAFETY_ANALYSIS { return timers_.gone(); }

  // --- The holder, from here on. ---
  Driver& driver() REQUIRES(this) { return *driver_; }
  TimerWheel& timers() REQUIRES(this) { return timers_; }
  TimePoint now() const REQUIRES(this) { return now_; }  // read once a turn
  void read_clock() REQUIRES(this) { now_ = platform_.clock.now(); }
  // All mail so far, oldest first, linked by `next`; the caller owns it. None in a turn whose wait
  // has ended by a look of the driver: what that has found comes first, the mail in the next turn.
  Mail* take_mail() REQUIRES(this) { return look_found_ ? nullptr : mailbox_.take_all(); }
  // No turn comes any more: mail that still arrives is destroyed.
  void close_mailbox() REQUIRES(this) { mailbox_.close(); }
  enum class Wait : uint8_t {
    kNo,         // takes what is there
    kSleep,      // at once
    kPollFirst,  // polls for some time before it sleeps, if that is switched on
  };
  // Waits until there are completions or mail, a timer is due, or `until`.
  void wait(Wait how, TimePoint until) REQUIRES(this);

  // The holder. From here to a successful take_back the loop is nobody's: user code may run.
  // (The analysis of its body is off: it cannot see that the word is the lock.)
  uint64_t lend() RELEASE(this) NO_THREAD_SAFETY_ANALYSIS { return word_.lend(); }
  // The thread that lent. False: a spare has the loop; only the job is the caller's, once the word
  // has settled.
  [[nodiscard]] bool take_back(uint64_t lent) TRY_ACQUIRE(true, this) {
    return word_.take_back(lent);
  }
  // The thread that lent, between two handlers of one job. False: a spare has the loop.
  [[nodiscard]] bool relend(uint64_t& lent) { return word_.relend(lent); }
  // After a failed take_back: returns when the spare is done with the job.
  void wait_settled(uint64_t lent);

  // A spare. True: the loop is TAKEN by the caller, which must call become_holder soon.
  [[nodiscard]] bool take(uint64_t seen) TRY_ACQUIRE(true, this) { return word_.take(seen); }
  void become_holder() REQUIRES(this) { word_.hold(); }
  uint64_t word() const { return word_.load(); }

  // For the analysis only: the calling thread holds the loop by construction (start, end,
  // single-threaded use).
  void assume_held() const ASSERT_CAPABILITY(this) {}

  // The watcher. From now on the holder that wakes unparks `spot` if its watcher has parked; null:
  // no watcher.
  void set_watcher(ParkSpot* spot) { sleep_.set_watcher(spot); }
  // The thread that lent. Hurries the watcher: for builds that force hand-over.
  void wake_watcher();
  // The watcher. True: the loop sleeps and will wake the watcher, which may park for good.
  bool try_park_watcher() { return sleep_.try_park_watcher(); }

  LoopCounters counters;

 private:
  bool poll(TimePoint until) REQUIRES(this);
  bool find(TimePoint until) REQUIRES(this);

  const Platform platform_;
  const uint32_t index_;
  std::unique_ptr<Driver> driver_;
  TimerWheel timers_;
  Mailbox mailbox_;
  LoopWord word_;
  SleepWord sleep_;
  PollWindow poll_window_;
  bool look_found_ = false;
  std::atomic<bool> polling_ = false;
  TimePoint now_;
};

}}  // namespace trireme
