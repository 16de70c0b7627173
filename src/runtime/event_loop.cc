#include "runtime/event_loop.h"

#include <algorithm>
#include <utility>

namespace trireme { inline namespace v0 {
namespace {

// Polling lets others run this often: that costs as much as a look.
constexpr Duration kRelax = std::chrono::microseconds(50);

}  // namespace

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

void EventLoop::wait(Wait how, TimePoint until) {
  bool polls = how == Wait::kPollFirst && poll_window_.is_on();
  if (polls) read_clock();  // what the turn took is no time of waiting
  until = std::min(until, timers_.next_wake());
  if (how == Wait::kNo) until = now_;
  bool may_sleep = until > now_;
  polls = polls && may_sleep;
  const TimePoint begin = now_;
  look_found_ = false;
  if (!polls || poll_window_.time() == Duration(0) || !poll(until)) {
    if (may_sleep) {
      sleep_.fall_asleep();
      if (!mailbox_.empty()) may_sleep = false;
    }
    driver_->wait(now_, may_sleep ? until : now_);
  }
  if (!driver_->drained()) counters.late_turns.add();
  if (ParkSpot* watcher = sleep_.wake_up()) platform_.threads.unpark(*watcher);
  read_clock();
  if (polls) {
    const bool found = driver_->ready() || !mailbox_.empty();  // else it was `until` that ended it
    poll_window_.waited(found ? now_ - begin : Duration::max());
  }
  counters.loop_turns.add();
}

// Looks again and again without sleeping, and lets other threads run in between. True: there is
// something to do. While it looks, senders of mail see that the loop does not sleep, and wake
// nobody.
bool EventLoop::poll(TimePoint until) {
  polling_.store(true, std::memory_order_relaxed);
  const bool found = find(std::min(until, now_ + poll_window_.time()));
  polling_.store(false, std::memory_order_relaxed);
  return found;
}

bool EventLoop::find(TimePoint until) {
  TimePoint relax_at = now_ + kRelax;
  while (now_ < until) {
    const bool looks = mailbox_.empty();  // else it would be left for one turn more
    if (looks) {
      driver_->look(now_);
    } else {
      driver_->wait(now_, now_);
    }
    const bool found = driver_->ready();
    look_found_ = looks && found;
    if (found || !mailbox_.empty()) return true;
    if (now_ >= relax_at) {
      platform_.threads.relax();
      relax_at = now_ + kRelax;
    }
    read_clock();
  }
  return false;
}

void EventLoop::wait_settled(uint64_t lent) {
  while (!word_.settled(lent)) platform_.threads.relax();
}

void EventLoop::wake_watcher() {
  if (ParkSpot* watcher = sleep_.watcher()) platform_.threads.unpark(*watcher);
}

}}  // namespace trireme
