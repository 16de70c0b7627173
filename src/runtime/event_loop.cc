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
  if (!sleep_.claim_signal()) return;
  counters.wakeups.add();
  if (!driver_->wake()) sleep_.give_back_signal();
}

void EventLoop::wait(bool poll, TimePoint until) {
  until = std::min(until, timers_.next_wake());
  if (poll) until = now_;
  bool may_sleep = until > now_;
  if (may_sleep) {
    sleep_.fall_asleep();
    if (!mailbox_.empty()) may_sleep = false;
  }
  driver_->wait(now_, may_sleep ? until : now_);
  if (!driver_->drained()) counters.late_turns.add();
  if (ParkSpot* watcher = sleep_.wake_up()) platform_.threads.unpark(*watcher);
  read_clock();
  counters.loop_turns.add();
}

void EventLoop::wait_settled(uint64_t lent) {
  while (!word_.settled(lent)) platform_.threads.relax();
}

void EventLoop::wake_watcher() {
  if (ParkSpot* watcher = sleep_.watcher()) platform_.threads.unpark(*watcher);
}

}  // namespace trireme
