// The virtual clock as the server sees it.
//
// Step: below all steps. Thread: any fiber of the world.
#pragma once

#include "runtime/system/clock.h"
#include "sim/scheduler.h"

namespace trireme { inline namespace v0 { namespace sim {

class SimClock final : public Clock {
 public:
  explicit SimClock(Scheduler& scheduler) : scheduler_(scheduler), start_(scheduler.now()) {}

  // Any thread. Not a scheduling point, but costs 20 ns of virtual time.
  TimePoint now() override {
    const TimePoint time = scheduler_.read_clock();
    scheduler_.record(Call::kClockNow, 0, 0, 0);
    return time;
  }

  // Any thread. Every world begins on 2026-01-01 at midnight.
  std::chrono::system_clock::time_point wall_now() override {
    constexpr std::chrono::seconds kStart{1'767'225'600};
    return std::chrono::system_clock::time_point(kStart) +
           std::chrono::duration_cast<std::chrono::system_clock::duration>(scheduler_.now() -
                                                                           start_);
  }

 private:
  Scheduler& scheduler_;
  const TimePoint start_;
};

}}}  // namespace trireme::sim
