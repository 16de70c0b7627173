#include "sim/scheduler.h"

#include <algorithm>

#include "sim/fail.h"

namespace trireme { inline namespace v0 { namespace sim {
namespace {

constexpr uint64_t kChanceOf = 10'000;
constexpr uint64_t kStepCostMinNs = 100;
constexpr Duration kClockCost{20};

// Null while the thread runs no fiber.
thread_local Scheduler* running = nullptr;

std::string milliseconds(Duration duration) {
  const int64_t us = duration.count() / 1'000;
  std::string digits = std::to_string(us % 1'000);
  return std::to_string(us / 1'000) + "." + std::string(3 - digits.size(), '0') + digits + " ms";
}

}  // namespace

Scheduler::Scheduler(uint64_t seed, const Nature& nature, const Faults& faults,
                     const Limits& limits)
    : nature_(nature),
      faults_(faults),
      limits_(limits),
      random_(seed),
      now_(nature.start_time),
      end_(now_ + limits.time_max) {}

Scheduler::~Scheduler() = default;

Fiber& Scheduler::spawn(std::string_view name, std::function<void()> body) {
  const auto id = static_cast<uint32_t>(fibers_.size() + 1);
  if (stacks_.empty()) stacks_.emplace_back(limits_.stack_bytes);
  Stack stack = std::move(stacks_.back());
  stacks_.pop_back();
  fibers_.push_back(std::make_unique<Fiber>(id, name, std::move(body), std::move(stack)));
  fibers_.back()->begun = now_;
  ++live_;
  runnable_.push_back(fibers_.back().get());
  return *fibers_.back();
}

void Scheduler::run() {
  if (current_ != nullptr) fail("run() was called from inside a fiber of the same world.");
  while (live_ > 0) {
    Fiber* fiber = next_ != nullptr ? std::exchange(next_, nullptr) : pick();
    fiber->state = Fiber::State::kRunning;
    current_ = fiber;
    running = this;
    fiber->resume(native_);
    running = nullptr;
    current_ = nullptr;
    if (fiber->state == Fiber::State::kEnded) retire(*fiber);
  }
}

Fiber* Scheduler::pick() {
  while (runnable_.empty()) {
    if (timers_.empty()) {
      fail("deadlock: no fiber can run and no timer is set.\n" + list_fibers());
    }
    now_ = std::max(now_, timers_.begin()->first.first);
    check_limits();
    fire_due();
  }
  const uint64_t index = random_.below(runnable_.size());
  Fiber* fiber = runnable_[index];
  runnable_[index] = runnable_.back();
  runnable_.pop_back();
  return fiber;
}

void Scheduler::retire(Fiber& fiber) {
  stacks_.push_back(fiber.take_stack());
  if (!fiber.detached) --live_;
  if (fiber.joiner != nullptr) wake(*fiber.joiner);
}

void Scheduler::check_limits() {
  if (now_ > end_) {
    fail("the limit of virtual time is over, " + milliseconds(limits_.time_max) +
         " after the start: livelock, or a test that needs more.\n" + list_fibers());
  }
  if (steps_ > limits_.steps_max) {
    fail("the limit of " + std::to_string(limits_.steps_max) +
         " steps is over: livelock, or a test that needs more.\n" + list_fibers());
  }
}

void Scheduler::spend() {
  ++steps_;
  const auto range = static_cast<uint64_t>(nature_.step_cost_max.count()) - kStepCostMinNs;
  now_ += Duration(kStepCostMinNs + random_.below(range));
  check_limits();
  fire_due();
}

TimePoint Scheduler::read_clock() {
  now_ += kClockCost;
  return now_;
}

void Scheduler::fire_due() {
  while (!timers_.empty() && timers_.begin()->first.first <= now_) {
    auto node = timers_.extract(timers_.begin());
    if (node.mapped().fiber != nullptr) {
      node.mapped().fiber->timer_number = 0;
      node.mapped().fiber->woken = false;
      make_runnable(*node.mapped().fiber);
    } else {
      node.mapped().action();
    }
  }
}

void Scheduler::point() {
  if (current_ == nullptr) return;
  spend();
  if (faults_.preempted != 0 && random_.chance(faults_.preempted, kChanceOf) &&
      lets(FaultKind::kPreempted)) {
    const auto max = static_cast<uint64_t>(faults_.preempted_max.count());
    const Duration away(1 + random_.below(max));
    suspend_current(Fiber::State::kPreempted, {"nothing: it is preempted", 0, now_ + away});
    return;
  }
  point_after();
}

void Scheduler::point_after() {
  if (current_ == nullptr || runnable_.empty()) return;
  if (!random_.chance(nature_.switched, kChanceOf)) return;
  const uint64_t index = random_.below(runnable_.size() + 1);
  if (index == runnable_.size()) return;
  next_ = std::exchange(runnable_[index], current_);
  current_->state = Fiber::State::kRunnable;
  current_->suspend();
}

void Scheduler::yield() {
  if (current_ == nullptr) return;
  spend();
  if (runnable_.empty()) return;
  const uint64_t index = random_.below(runnable_.size());
  next_ = std::exchange(runnable_[index], current_);
  current_->state = Fiber::State::kRunnable;
  current_->suspend();
}

bool Scheduler::block(const Wait& wait) {
  if (current_ == nullptr) {
    fail(std::string(wait.call) + " would block outside of Machine::run.");
  }
  if (wait.until <= now_) {
    yield();
    return false;
  }
  Fiber& self = *current_;
  self.blocked_since = now_;
  suspend_current(Fiber::State::kBlocked, wait);
  self.blocked_time += now_ - self.blocked_since;
  return self.woken;
}

Duration Scheduler::unblocked_time(uint32_t id) const {
  if (id == 0 || id > fibers_.size()) return Duration(0);
  const Fiber& fiber = *fibers_[id - 1];
  if (fiber.state == Fiber::State::kEnded) return Duration(0);
  const TimePoint until = fiber.state == Fiber::State::kBlocked ? fiber.blocked_since : now_;
  return until - fiber.begun - fiber.blocked_time;
}

void Scheduler::suspend_current(Fiber::State state, const Wait& wait) {
  Fiber& self = *current_;
  self.state = state;
  self.waits_in = wait.call;
  self.waits_for = wait.argument;
  self.waits_until = wait.until;
  if (wait.until != kNever) {
    self.timer_number = ++timers_made_;
    timers_.emplace(TimerKey{wait.until, self.timer_number}, Timer{&self, nullptr});
  }
  self.suspend();
}

void Scheduler::make_runnable(Fiber& fiber) {
  fiber.state = Fiber::State::kRunnable;
  runnable_.push_back(&fiber);
}

void Scheduler::wake(Fiber& fiber) {
  if (fiber.state != Fiber::State::kBlocked) return;
  if (fiber.timer_number != 0) {
    timers_.erase(TimerKey{fiber.waits_until, fiber.timer_number});
    fiber.timer_number = 0;
  }
  fiber.woken = true;
  make_runnable(fiber);
}

Scheduler* Scheduler::of_this_thread() { return running; }

bool Scheduler::block_at(const void* place, const Wait& wait) {
  Fiber* self = current_;
  locks_.waiting[place].push_back(self);
  const bool woken = block(wait);
  const auto found = locks_.waiting.find(place);
  std::erase(found->second, self);
  if (found->second.empty()) locks_.waiting.erase(found);
  return woken;
}

void Scheduler::wake_one(const void* place) {
  const auto found = locks_.waiting.find(place);
  if (found == locks_.waiting.end()) return;
  // One that has been woken and has not run yet is passed over.
  for (Fiber* fiber : found->second) {
    if (fiber->state == Fiber::State::kBlocked) return wake(*fiber);
  }
}

void Scheduler::wake_all(const void* place) {
  const auto found = locks_.waiting.find(place);
  if (found == locks_.waiting.end()) return;
  for (Fiber* fiber : found->second) wake(*fiber);
}

void Scheduler::detach(Fiber& fiber) {
  if (fiber.detached) return;
  fiber.detached = true;
  if (fiber.state != Fiber::State::kEnded) --live_;
}

void Scheduler::at(TimePoint time, std::function<void()> action) {
  timers_.emplace(TimerKey{time, ++timers_made_}, Timer{nullptr, std::move(action)});
}

std::string Scheduler::list_fibers() const {
  std::string list = "  virtual time " + milliseconds(now_ - TimePoint(nature_.start_time)) +
                     " after the start, " + std::to_string(steps_) + " steps\n";
  for (const auto& fiber : fibers_) {
    if (fiber->state == Fiber::State::kEnded) continue;
    list += "  fiber " + std::to_string(fiber->id) + " '" + fiber->name + "' ";
    if (fiber->state == Fiber::State::kRunning) {
      list += "runs";
    } else if (fiber->state == Fiber::State::kRunnable) {
      list += "can run";
    } else {
      list += std::string("waits for ") + fiber->waits_in;
      if (fiber->state == Fiber::State::kBlocked) {
        list += "(" + std::to_string(fiber->waits_for) + ")";
      }
      if (fiber->waits_until != kNever) {
        list += " for another " + milliseconds(fiber->waits_until - now_);
      }
    }
    list += "\n";
  }
  return list;
}

}}}  // namespace trireme::sim
