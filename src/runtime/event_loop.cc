#include "runtime/event_loop.h"

#include <algorithm>
#include <utility>

namespace trireme::inline v0 {

EventLoop::EventLoop(const Platform& platform, uint32_t index)
    : platform_(platform),
      index_(index),
      timers_(platform.clock.now()),
      now_(platform.clock.now()) {}

EventLoop::~EventLoop() = default;

void EventLoop::use_driver(std::unique_ptr<Driver> driver) { driver_ = std::move(driver); }

void EventLoop::post(std::unique_ptr<Mail> mail) {
  post_quietly(std::move(mail));
  wake_if_asleep();
}

void EventLoop::wake_if_asleep() {
  if (!(activity_.load(std::memory_order_seq_cst) & kAsleep)) return;
  if (!(activity_.fetch_and(~kAsleep, std::memory_order_seq_cst) & kAsleep))
    return;  // another sender was first
  counters.wakeups.add();
  // A wake-up that failed must not count as done: the next sender tries again. If the holder is
  // awake after all, the bit costs one signal too many.
  if (!driver_->wake()) activity_.fetch_or(kAsleep, std::memory_order_seq_cst);
}

void EventLoop::wait(bool poll, TimePoint until) {
  until = std::min(until, timers_.next_wake());
  if (poll) until = now_;
  bool may_sleep = until > now_;
  if (may_sleep) {
    activity_.fetch_or(kAsleep, std::memory_order_seq_cst);
    if (!mailbox_.empty()) may_sleep = false;
  }
  driver_->wait(now_, may_sleep ? until : now_);
  if (!driver_->drained()) counters.late_turns.add();
  const uint32_t was = activity_.exchange(0, std::memory_order_seq_cst);
  if (was & kWatcherParked) {
    ParkSpot* watcher = watcher_.load(std::memory_order_seq_cst);
    if (watcher != nullptr) platform_.threads.unpark(*watcher);
  }
  read_clock();
  counters.loop_turns.add();
}

void EventLoop::wait_settled(uint64_t lent) {
  while (!word_.settled(lent)) platform_.threads.relax();
}

void EventLoop::wake_watcher() {
  ParkSpot* watcher = watcher_.load(std::memory_order_seq_cst);
  if (watcher != nullptr) platform_.threads.unpark(*watcher);
}

bool EventLoop::try_park_watcher() {
  uint32_t asleep = kAsleep;
  return activity_.compare_exchange_strong(asleep, kAsleep | kWatcherParked,
                                           std::memory_order_seq_cst);
}

}  // namespace trireme
