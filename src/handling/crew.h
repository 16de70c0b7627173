// The threads: those that hold loops, and the one set of data workers and spares.
//
// Step 4. Threads: all of the server but the Listener.
//
// A thread of the crew has one duty at a time:
//   hold   it is the holder of a loop and turns it (`io-N`);
//   watch  it is the reserve of a loop: idle, and at the same time its watchdog. Where loops are
//          not taken it reports stalls and does nothing else (`watch-N`);
//   run    it runs a job of the ready queue;
//   idle   it is parked.
//
//          job late: take the loop                 job done, loop lost
//   watch ------------------------> hold --------------------------------> (idle)
//
// 1. A loop without reserve starts no handler under `adaptive`, but of kinds pinned to the loop:
//    its jobs wait in the ready queue.
// 2. The reserve ticks every millisecond while the loop is awake (every ten where it can only
//    report: under `inline` and `workers`), and once more as soon as a job that it sees is a tick
//    old. What it does then is in watchdog.h. After 100 ms without a lend, and with the loop
//    asleep, it parks; the loop wakes it, or whoever queues a job that nobody else can take.
// 3. How many threads there are is in members.h. Jobs come first where the system refuses threads:
//    watchers that only report are started last, one data worker before them; and a watcher leaves
//    for the ready queue while the last thread that was asked for was refused.
// 4. Who is woken for jobs that wait is in ready_jobs.h; the one thread beside the crew that fires
//    stop tokens when all others are at work, in stop_jobs.h.
// 5. Nothing but the mutex of the members guards duties, and no seam is called while it is held.
#pragma once

#include <atomic>
#include <memory>
#include <vector>

#include "handling/held_loop.h"
#include "handling/lookout.h"
#include "handling/members.h"
#include "handling/read_buffers.h"
#include "handling/ready_jobs.h"
#include "handling/side_workers.h"
#include "handling/stall_reports.h"
#include "handling/stop_jobs.h"
#include "runtime/threads/annotations.h"
#include "trireme/server.h"

namespace trireme { inline namespace v0 {

// Owners: the server, and lookouts that are late to end.
class Crew : public std::enable_shared_from_this<Crew> {
 public:
  // `takes_loops`: of jobs that are late; else they are only reported. Needs the loops of
  // `context`.
  Crew(ServerContext& context, uint32_t data_workers_max, bool takes_loops);

  // Before start(). Starts one holder a loop, reserves where loops are taken, and else one data
  // worker if `needs_data_workers`: one thread at least that can come for jobs. 0 or an errno
  // value; then nothing runs.
  int start(const std::vector<HeldLoop*>& loops, bool needs_data_workers);
  // After start(), when the rest of the server has its threads. Where loops are not taken: starts
  // the watchers, which only report. The system may refuse them.
  void start_watchers();

  // The holder; ready_jobs.h says more.
  void submit(Job* first) { jobs_.submit(first); }
  [[nodiscard]] bool withdraw(Job& job) { return jobs_.withdraw(job); }
  bool nudge() { return jobs_.nudge(); }
  bool is_stream_line_full() const { return jobs_.is_stream_line_full(); }
  // Any thread. A hint: polling before sleep is switched on, and no more threads are at work than
  // there are CPUs.
  bool may_poll() const {
    return poll_time_max_ > Duration(0) &&
           members_.loops_total() + at_work_.get() <= members_.active_wanted();
  }
  // The holder, under TRIREME_FORCE_HANDOVER: returns when a spare has taken the loop that is lent
  // for `job`.
  void force_take(HeldLoop& held, Job& job);
  // Any thread. A read buffer that the job which lost its loop is done with, for the next reserve.
  void keep_read_buffer(std::shared_ptr<Block> buffer) { read_buffers_.keep(std::move(buffer)); }

  // The threads beside the crew that compute for transport layers, and those that read files.
  SideWorkers& layer_workers() { return layer_workers_; }
  SideWorkers& disk_workers() { return disk_workers_; }

  // One thread at a time, not of the crew. Parks until every loop has stopped: true. False at
  // `until`, or when `interrupt` is set and interrupt_wait() was called.
  bool wait_loops_stopped(TimePoint until, const std::atomic<bool>* interrupt);
  void interrupt_wait();  // Any thread.
  // After that: ends all threads, side workers too, and joins them but for the lookouts.
  void join();
  // After that: joins the lookouts, or leaves behind those that have not ended by then.
  void join_lookouts(TimePoint until);
  // Leaks the threads that run handlers. Only for Server::abandon().
  void detach();

  // One thread at a time, as wait_loops_stopped. Handlers that run now; and codecs, which takes
  // some time to be sure of.
  std::vector<StuckJob> running_jobs();
  uint64_t data_workers() const { return members_.data_workers(); }
  uint64_t stall_reports() const { return reports_.count(); }

 private:
  using Duty = CrewMember::Duty;

  void member_main(CrewMember& me);
  bool next_duty(CrewMember& me);
  bool wait_idle(CrewMember& me, TimePoint until);
  void hold(CrewMember& me);
  void run(CrewMember& me);
  void wake_quiet_loops(CrewMember& me);
  void watch(CrewMember& me) NO_THREAD_SAFETY_ANALYSIS;
  bool equip(CrewMember& me);
  bool leave_watch();
  void end_watch(CrewMember& me);
  int appoint_reserve(HeldLoop& held);

  ServerContext& context_;
  const ContextRef context_kept_;  // a late lookout looks at a loop of it
  const Platform& platform_;
  const bool takes_loops_;
  const Duration poll_time_max_;
  std::vector<HeldLoop*> loops_;                    // immutable after start
  std::vector<std::unique_ptr<Lookout>> lookouts_;  // likewise
  Members members_;
  StopJobs stops_;
  ReadyJobs jobs_;
  ReadBuffers read_buffers_;
  StallReports reports_;
  SideWorkers layer_workers_, disk_workers_;
  std::vector<HeldLoop*> without_reserve_ GUARDED_BY(members_.mutex);
  uint32_t loops_running_ GUARDED_BY(members_.mutex) = 0;
  ParkSpot stopped_spot_;
  SharedCounter at_work_;  // data workers in handlers; counted only for polling
};

}}  // namespace trireme
