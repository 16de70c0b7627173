// Threads that do not start on request: a decorator over any `Threads`. For tests of Trireme and
// for tests of what is built on it.
//
// Step: below all steps. Thread: any; a failure may be planned and healed while the server runs.
//
//   FaultyThreads threads(real_platform().threads);
//   threads.fail_start({.first = 3, .times = FaultyThreads::kForEver});
//
// Only start() fails by plan, and run_only_when_idle() where the policy is refused: nothing else of
// `Threads` can.
#pragma once

#include <atomic>
#include <cerrno>

#include "runtime/threads/annotations.h"
#include "runtime/threads/mutex.h"
#include "runtime/threads/threads.h"

namespace trireme { inline namespace v0 {

class FaultyThreads final : public Threads {
 public:
  static constexpr uint64_t kForEver = UINT64_MAX;

  struct Fault {
    int error = EAGAIN;  // what pthread_create(3) says when there are too many threads
    uint64_t first = 1;  // 1: the next start, 2: the one after it
    uint64_t times = 1;  // consecutive starts; kForEver: until heal()
  };

  // `inner` must outlive this object.
  explicit FaultyThreads(Threads& inner) : inner_(inner) {}

  // Any thread. Replaces the fault that was planned before; starts are counted from here on.
  void fail_start(const Fault& fault);
  // Any thread. From the next start on nothing fails.
  void heal();
  // Any thread. From now on no thread gets the policy for when its CPU is idle.
  void refuse_idle_policy() { refuses_idle_policy_.store(true, std::memory_order_relaxed); }
  // Any thread. Starts since construction, failed ones included, and those that failed by plan.
  uint64_t starts();
  uint64_t injected();

  std::unique_ptr<Thread> start(std::string_view name, std::function<void()> body,
                                int& error) override;
  bool park(ParkSpot& spot, TimePoint until) override { return inner_.park(spot, until); }
  void unpark(ParkSpot& spot) override { inner_.unpark(spot); }
  bool try_park(ParkSpot& spot) override { return inner_.try_park(spot); }
  bool take_turns() const override { return inner_.take_turns(); }
  void sleep_until(TimePoint until) override { inner_.sleep_until(until); }
  void relax() override { inner_.relax(); }
  void set_name(std::string_view name) override { inner_.set_name(name); }
  void wait_its_turn() override { inner_.wait_its_turn(); }
  bool run_only_when_idle() override {
    return !refuses_idle_policy_.load(std::memory_order_relaxed) && inner_.run_only_when_idle();
  }
  void stay_on(int cpu) override { inner_.stay_on(cpu); }
  int current_cpu() override { return inner_.current_cpu(); }
  uint64_t current_id() override { return inner_.current_id(); }
  int allowed_cpus() override { return inner_.allowed_cpus(); }
  Duration cpu_time(uint64_t thread) override { return inner_.cpu_time(thread); }

 private:
  Threads& inner_;
  std::atomic<bool> refuses_idle_policy_{false};
  Mutex mutex_;  // never held during a call of `inner_`
  Fault fault_ GUARDED_BY(mutex_);
  bool planned_ GUARDED_BY(mutex_) = false;
  uint64_t seen_ GUARDED_BY(mutex_) = 0;  // starts since the fault was planned
  uint64_t starts_ GUARDED_BY(mutex_) = 0;
  uint64_t injected_ GUARDED_BY(mutex_) = 0;
};

}}  // namespace trireme
