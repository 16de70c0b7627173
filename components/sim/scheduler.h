// Runs fibers one at a time, in an order drawn from a seed, and keeps virtual time.
//
// Step: none, test support. Thread: the one that calls run(); everything else is called by fibers.
//
// 1. A fiber gives up the processor only at a scheduling point: point(), yield() or block().
// 2. Every scheduling point costs virtual time, 100 ns up to a maximum of 0.2 to 2 us drawn from
//    the seed. So a fiber that spins lets timers of 1 ms expire, as on a real machine.
// 3. Apart from that time stands still while any fiber can run. When none can, it jumps to the
//    earliest timer.
// 4. When there is no timer either, the world is dead: the process aborts with a list of all
//    fibers and what each waits for. Limits of steps and of virtual time do the same for livelock.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "runtime/system/clock.h"
#include "runtime/system/random.h"
#include "sim/faults.h"
#include "sim/fiber.h"
#include "sim/trace.h"

namespace trireme { inline namespace v0 { namespace sim {

class Scheduler {
 public:
  struct Limits {
    uint64_t steps_max = 0;
    Duration time_max{0};
    size_t stack_bytes = 0;
  };
  // What a blocked fiber waits for, for the listing. `call` is a literal.
  struct Wait {
    const char* call;
    int64_t argument = 0;
    TimePoint until = kNever;
  };

  // `faults` outlives the scheduler and may change between calls.
  Scheduler(uint64_t seed, const Nature& nature, const Faults& faults, const Limits& limits);
  ~Scheduler();
  Scheduler(const Scheduler&) = delete;
  Scheduler& operator=(const Scheduler&) = delete;

  // Any fiber, or before run().
  Fiber& spawn(std::string_view name, std::function<void()> body);
  // Outside of fibers. Returns when every fiber that is not detached has ended.
  void run();

  // Any fiber. Before and after each effect that another fiber could see. Outside of fibers they
  // do nothing.
  void point();
  void point_after();
  // Any fiber. As point(), and another fiber runs next if there is one.
  void yield();
  // Any fiber. Sleeps until wake() or `wait.until`; returns false for the latter.
  bool block(const Wait& wait);
  // Any fiber, or an action. Does nothing when the fiber is not in block().
  void wake(Fiber& fiber);
  // Any fiber. run() no longer waits for `fiber`; it may never return.
  void detach(Fiber& fiber);
  // Any fiber, or an action. Runs `action` once, on whatever stack, when its time has come.
  // It must not block.
  void at(TimePoint time, std::function<void()> action);

  TimePoint now() const { return now_; }
  // Reading a clock costs a little, so that time moves even for code that only looks at it.
  TimePoint read_clock();
  Fiber* current() { return current_; }
  uint32_t current_id() const { return current_ == nullptr ? 0 : current_->id; }
  TimePoint started() const { return TimePoint(nature_.start_time); }
  uint64_t steps() const { return steps_; }
  Trace& trace() { return trace_; }
  const Trace& trace() const { return trace_; }
  void record(Call call, int64_t first, int64_t second, int64_t result) {
    trace_.add({now_, current_id(), call, first, second, result});
  }
  // Any fiber. Whether a fault that has been drawn happens.
  bool lets(FaultKind kind) { return gate_ == nullptr || gate_->lets(kind, 0); }
  // Before run(). `gate` outlives the world's last call; null lets everything happen.
  void set_gate(FaultGate* gate) { gate_ = gate; }
  // Any fiber. Sleeps until wake_one() or wake_all() of the same place or `wait.until`. Places are
  // addresses; they are compared, never ordered and never written to the trace.
  bool block_at(const void* place, const Wait& wait);
  void wake_one(const void* place);
  void wake_all(const void* place);
  // Before run(). Taking and giving back a lock of the standard library becomes a scheduling point.
  void make_locks_points() { locks_.are_points = true; }
  void lock_point() {
    if (locks_.are_points) point();
  }

  // Any thread. The scheduler whose fiber this thread is at the moment; null elsewhere.
  static Scheduler* of_this_thread();

  // Time for which a fiber has been running or runnable; zero when it has ended.
  Duration unblocked_time(uint32_t id) const;
  std::string list_fibers() const;

 private:
  struct Timer {
    Fiber* fiber = nullptr;        // either this
    std::function<void()> action;  // or this
  };
  using TimerKey = std::pair<TimePoint, uint64_t>;

  void spend();
  void fire_due();
  void make_runnable(Fiber& fiber);
  void suspend_current(Fiber::State state, const Wait& wait);
  Fiber* pick();
  void retire(Fiber& fiber);
  void check_limits();

  const Nature nature_;
  const Faults& faults_;
  const Limits limits_;
  Random random_;
  Trace trace_;
  TimePoint now_;
  TimePoint end_;
  uint64_t steps_ = 0;
  uint64_t timers_made_ = 0;
  std::map<TimerKey, Timer> timers_;
  std::vector<std::unique_ptr<Fiber>> fibers_;  // the index is id - 1; kept until the end
  std::vector<Fiber*> runnable_;
  std::vector<Stack> stacks_;  // of ended fibers
  size_t live_ = 0;            // neither ended nor detached
  Fiber* current_ = nullptr;
  FaultGate* gate_ = nullptr;
  // Of the standard library. Fibers that wait at a lock or at a condition, by its address.
  struct Locks {
    bool are_points = false;
    std::unordered_map<const void*, std::vector<Fiber*>> waiting;
  } locks_;
  Fiber* next_ = nullptr;  // chosen by the fiber that has just given up
  Context native_;
};

}}}  // namespace trireme::sim
