// Threads of the server as fibers.
//
// Step: below all steps. Thread: any fiber of the world.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "runtime/threads/threads.h"
#include "sim/scheduler.h"

namespace trireme { inline namespace v0 { namespace sim {

class SimThreads final : public Threads {
 public:
  struct Settings {
    int cpus_count = 2;
    bool has_idle_policy = true;
    int threads_max = 1'000;  // start() beyond this many living threads: EAGAIN
  };

  SimThreads(Scheduler& scheduler, const Settings& settings)
      : scheduler_(scheduler), settings_(settings) {}

  std::unique_ptr<Thread> start(std::string_view name, std::function<void()> body,
                                int& error) override;
  bool park(ParkSpot& spot, TimePoint until) override;
  void unpark(ParkSpot& spot) override;
  bool try_park(ParkSpot& spot) override;
  bool take_turns() const override { return true; }
  void sleep_until(TimePoint until) override;
  void relax() override;
  void set_name(std::string_view name) override;
  // Says yes and changes nothing: a hint may be taken at any time, also while others run.
  bool run_only_when_idle() override { return settings_.has_idle_policy; }
  uint64_t current_id() override;
  int allowed_cpus() override { return settings_.cpus_count; }
  // A fiber computes whenever it is not blocked, and shares no CPU.
  Duration cpu_time(uint64_t thread) override;

  // Threads started and not yet returned.
  int living_count() const { return *living_; }

 private:
  Scheduler& scheduler_;
  const Settings settings_;
  // Owners: this object and the bodies of its fibers; a detached one may outlive this object.
  std::shared_ptr<int> living_ = std::make_shared<int>(0);
};

}}}  // namespace trireme::sim
