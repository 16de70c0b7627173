#include "handling/lookout.h"

#include <string>

namespace trireme { inline namespace v0 {

bool Lookout::alert(TimePoint now) {
  until_.store(now + kAlertTime, std::memory_order_relaxed);
  if (!works()) return false;
  if (alert_.load(std::memory_order_relaxed)) return true;
  alert_.store(true, std::memory_order_relaxed);
  if (thread_ != nullptr) {
    platform_.threads.unpark(spot_);
    return false;
  }
  int error = 0;
  thread_ = platform_.threads.start(
      "look-" + std::to_string(loop_.index()), [this, owner = owner_.lock()] { main(); }, error);
  if (thread_ != nullptr) {
    started_.store(true, std::memory_order_release);  // partners: end, join_until, detach
  } else {
    works_.store(false, std::memory_order_relaxed);
  }
  return false;
}

void Lookout::note_turn_while_alert() {
  holder_cpu_.store(platform_.threads.current_cpu(), std::memory_order_relaxed);
  if (!wants_call_.load(std::memory_order_relaxed)) return;
  wants_call_.store(false, std::memory_order_relaxed);
  platform_.threads.unpark(spot_);
}

void Lookout::end() {
  ends_.store(true, std::memory_order_seq_cst);
  if (!started_.load(std::memory_order_acquire)) return;
  thread_->hurry();
  platform_.threads.unpark(spot_);
}

bool Lookout::join_until(TimePoint until) {
  if (!started_.load(std::memory_order_acquire)) return true;
  return thread_->join_until(until);
}

void Lookout::detach() {
  if (started_.load(std::memory_order_acquire)) thread_->detach();
}

void Lookout::main() {
  if (ends_.load(std::memory_order_seq_cst)) return;  // before it has the lowest priority
  if (!platform_.threads.run_only_when_idle()) {
    works_.store(false, std::memory_order_relaxed);
    alert_.store(false, std::memory_order_relaxed);
    return;
  }
  while (!ends_.load(std::memory_order_seq_cst)) {
    if (is_in_time()) {
      const bool asleep = look_out();
      wait_until_called(asleep);
    } else {
      alert_.store(false, std::memory_order_relaxed);
      platform_.threads.park(spot_, kNever);
    }
  }
}

bool Lookout::is_in_time() const {
  return platform_.clock.now() < until_.load(std::memory_order_relaxed);
}

// Spins until there is nothing to look at, or the time is over. True: the loop sleeps.
bool Lookout::look_out() {
  bool was_asleep = false;
  for (int looks = 0; looks < kLooksMax && !ends_.load(std::memory_order_relaxed); ++looks) {
    follow_holder();
    const uint64_t word = loop_.word();
    if (word != seen_) {
      looks = 0;
      if (!is_in_time()) return false;
    }
    if (LoopWord::state(word) == LoopWord::kLent) {
      look_at_job(word);
    } else if (loop_.asleep()) {
      looks = 0;
      const TimePoint now = platform_.clock.now();
      if (!was_asleep) asleep_since_ = now;
      if (now - asleep_since_ >= window_.time()) return true;
    }
    was_asleep = loop_.asleep();
    seen_ = word;
    platform_.threads.relax();
  }
  return false;
}

// Its clock moves from one call to the next while the holder runs elsewhere. Seldom this thread
// runs although the holder could, for its small share of their CPU: then the loop moves for
// nothing.
void Lookout::look_at_job(uint64_t word) {
  if (word == told_.load(std::memory_order_relaxed)) return;
  const uint64_t holder = holder_.load(std::memory_order_relaxed);
  const Duration cpu = platform_.threads.cpu_time(holder);
  if (platform_.threads.cpu_time(holder) != cpu || loop_.word() != word) return;
  told_.store(word, std::memory_order_seq_cst);  // partner: Watchdog::look
  loop_.wake_watcher();
}

void Lookout::follow_holder() {
  const int cpu = holder_cpu_.load(std::memory_order_relaxed);
  if (cpu == cpu_ || cpu < 0 || ends_.load(std::memory_order_relaxed)) return;
  cpu_ = cpu;
  platform_.threads.stay_on(cpu);
}

void Lookout::wait_until_called(bool asleep) {
  wants_call_.store(true, std::memory_order_seq_cst);
  // The loop may have woken before it could see that. Of one that was awake the next turn is due.
  if (!asleep || loop_.asleep()) platform_.threads.park(spot_, kNever);
  wants_call_.store(false, std::memory_order_relaxed);
  if (asleep) window_.waited(platform_.clock.now() - asleep_since_);
}

}}  // namespace trireme
