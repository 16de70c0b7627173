#include "server_life.h"

#include <utility>

#include "runtime/check.h"

namespace trireme { inline namespace v0 {

bool ServerLife::is_new() {
  MutexLock lock(mutex_);
  return state_ == State::kNew;
}

bool ServerLife::has_ended() {
  MutexLock lock(mutex_);
  return state_ == State::kEnded;
}

bool ServerLife::is_ending() {
  MutexLock lock(mutex_);
  return state_ == State::kEnding || state_ == State::kEnded;
}

bool ServerLife::was_drained_first() {
  MutexLock lock(mutex_);
  return drained_first_;
}

bool ServerLife::begin_start() {
  MutexLock lock(mutex_);
  CHECK(!was_started_, "a server is started once");
  was_started_ = true;
  if (state_ == State::kEnded) return false;
  state_ = State::kStarting;
  return true;
}

// Wakes those that wait for it.
void ServerLife::enter(State next, std::vector<StuckJob> stuck) {
  std::vector<ParkSpot*> woken;
  {
    MutexLock lock(mutex_);
    state_ = next;
    stuck_ = std::move(stuck);
    woken.swap(waiting_);
    if (next == State::kEnded && run_signals_ != nullptr) run_signals_->notify();
  }
  for (ParkSpot* spot : woken) threads_.unpark(*spot);
}

bool ServerLife::begin_drain() {
  ParkSpot spot;
  while (true) {
    {
      MutexLock lock(mutex_);
      if (state_ == State::kNew) {
        state_ = State::kEnded;
        drained_first_ = true;
      }
      if (state_ == State::kEnded) return false;
      if (state_ == State::kRunning) {
        state_ = State::kEnding;
        if (run_signals_ != nullptr) run_signals_->notify();
        return true;
      }
      std::erase(waiting_, &spot);
      waiting_.push_back(&spot);
    }
    threads_.park(spot, kNever);
  }
}

void ServerLife::note_joined() {
  MutexLock lock(mutex_);
  joined_ = true;
}

std::vector<StuckJob> ServerLife::stuck() {
  MutexLock lock(mutex_);
  return stuck_;
}

bool ServerLife::abandon() {
  MutexLock lock(mutex_);
  if (joined_ || abandoned_) return false;
  abandoned_ = true;
  return true;
}

ServerLife::Rest ServerLife::rest() {
  MutexLock lock(mutex_);
  if (abandoned_) return Rest::kLeak;
  return joined_ ? Rest::kNothing : Rest::kJoin;
}

void ServerLife::tell_end_to(RealSignals* signals) {
  MutexLock lock(mutex_);
  run_signals_ = signals;
}

}}  // namespace trireme
