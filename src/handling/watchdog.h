// One watcher's view of the loop that it watches: whether a job is late, and whether to take the
// loop from it.
//
// Step 4. Thread: the watcher of the loop, which is its reserve where loops are taken.
//
// One LENT word seen at two looks is a late job. If it waits (the CPU clock of its thread stands
// still), the loop is taken; without a second look if the job has asked for it or the lookout has
// told. If it computes, the loop is taken when fewer threads compute than there are CPUs: else
// moving it would give its clients nothing; but after kBusyPatience it is, so that nobody waits for
// ever. What stalls a loop otherwise is reported.
#pragma once

#include <vector>

#include "handling/held_loop.h"
#include "handling/members.h"
#include "handling/stall_reports.h"
#include "roster/server_context.h"

namespace trireme { inline namespace v0 {

class Watchdog {
 public:
  // The reserve looks every tick while the loop is awake. Where loops are not taken, nothing waits
  // for a look but a report.
  static constexpr Duration kTick = std::chrono::milliseconds(1);
  static constexpr Duration kReportTick = std::chrono::milliseconds(10);

  // Of the whole crew; all of it outlives the watch.
  struct Surroundings {
    ServerContext& context;
    Members& members;
    StallReports& reports;
    const std::vector<HeldLoop*>& loops;
    bool takes_loops;
  };

  Watchdog(const Surroundings& around, HeldLoop& held)
      : around_(around), platform_(around.context.platform), held_(held) {}

  // One look at the loop. True: `me` has taken it and is its holder. The analysis cannot follow a
  // capability that comes with a result.
  bool look(CrewMember& me, TimePoint now) NO_THREAD_SAFETY_ANALYSIS;
  // After that: when to look again.
  TimePoint look_again_at(TimePoint now) const;
  Duration tick() const { return around_.takes_loops ? kTick : kReportTick; }
  // What it saw.
  uint64_t word() const { return sight_.word; }
  bool sees_lent() const { return LoopWord::state(sight_.word) == LoopWord::kLent; }

 private:
  // The loop, since when it is as it is, and how far the CPU clock of the holder was then.
  struct Sight {
    uint64_t word = 0;
    uint64_t turn = 0;  // LoopCounters::loop_turns
    TimePoint since;
    Duration cpu{0};
    bool has_cpu = false;
    bool computes = false;  // the holder, since then
    bool counted = false, reported = false;
  };
  // The CPU clock of a thread that runs a job, when this watcher looked at it.
  struct CpuLook {
    uint64_t thread;
    int64_t job_since_ns;
    TimePoint at;
    Duration cpu;
  };

  bool see_again(TimePoint now);
  bool is_late(TimePoint now) const;
  bool should_take(bool at_once, TimePoint now);
  size_t count_computing(TimePoint now);
  void see_stall(TimePoint now);
  uint64_t holder_thread() const {
    return held_.holder_notes.thread.load(std::memory_order_relaxed);
  }

  const Surroundings around_;
  const Platform& platform_;
  HeldLoop& held_;
  Sight sight_;
  std::vector<CpuLook> cpu_looks_;
};

}}  // namespace trireme
