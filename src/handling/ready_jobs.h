// The jobs that wait for data workers, and who is woken or started for them.
//
// Step 4. Threads: holders put jobs in, data workers take them.
//
// First-in first-out. Who puts jobs in wakes one idle thread; where loops are not taken and there
// are several CPUs, only if fewer threads are active (Members::AtWork). One more is woken when the
// head has grown old and fewer are active than there are CPUs. Who takes a job looks, and a loop
// that would sleep while jobs wait looks again after a tick. Requests that nobody waits for any
// more - the client is gone, the deadline has passed - are not started: their loop withdraws them,
// or the thread that takes one sends it home as it is. Jobs that fire stop tokens do not stand in
// this line (stop_jobs.h).
//
// Handlers that wait on streams wait for clients, which may be slow on purpose. So a job that wants
// a permit is not ready before it has one. Permits are fewer than data workers; who gets none
// stands in a line of its own, first-in first-out, bounded by stream_queue_max. The thread that ran
// such a job gives the permit back as soon as the handler has returned: the first in line has it
// then, and is ready.
#pragma once

#include <atomic>

#include "handling/members.h"
#include "handling/stop_jobs.h"
#include "roster/server_context.h"
#include "runtime/log.h"

namespace trireme { inline namespace v0 {

class ReadyJobs {
 public:
  // `takes_loops`: from jobs that are late.
  ReadyJobs(ServerContext& context, Members& members, StopJobs& stops, bool takes_loops);
  ~ReadyJobs();

  // The holder. Hands over jobs linked by Mail::next and Job::previous, oldest first; null is
  // allowed.
  void submit(Job* first);
  // The holder that has submitted it. True: no thread had come for it, and none will; it is the
  // caller's again.
  [[nodiscard]] bool withdraw(Job& job);
  // The holder, before it sleeps. True: jobs wait, so sleep no longer than a tick and call again.
  bool nudge() {
    const bool stops_wait = stops_.nudge();
    return (length_hint() > 0 && wake_more(platform_.clock.now())) || stops_wait;
  }

  // Any thread. A hint: the next job that wants a permit is to be refused.
  bool is_stream_line_full() const {
    return line_.length_hint() >= context_.options.stream_queue_max && permits_hint() == 0;
  }
  // A data worker, when the handler of a job that held one has returned.
  void give_back_permit();

  // A data worker that has taken a job: whether more threads should come.
  void look_at(const Job& taken, TimePoint now);
  // Any thread. A hint.
  size_t length_hint() const { return queue_.length_hint(); }

  // With `guard`, the mutex of the members. The oldest job, those of stop tokens first; null: there
  // is none.
  Job* pop(Mutex& guard) REQUIRES(guard);
  bool is_empty(Mutex& guard) const REQUIRES(guard) { return queue_.oldest(guard) == nullptr; }
  // The oldest job waits for so long that one more thread should come.
  bool is_old(Mutex& guard, TimePoint now) const REQUIRES(guard);

  // A watcher. True: it may park for good, for no job waits and its loop agrees; who puts a job in
  // calls it. note_awake when it has woken for whatever reason.
  bool try_park(CrewMember& watcher, EventLoop& loop) {
    return queue_.try_park(watcher.watcher, [&loop] { return loop.try_park_watcher(); });
  }
  void note_awake(CrewMember& watcher) { queue_.note_awake(watcher.watcher); }

 private:
  // Who is to come for jobs that were queued.
  struct Call {
    CrewMember* woken = nullptr;
    bool starts = false;
  };

  Call call_somebody(size_t queued, TimePoint now) REQUIRES(members_.mutex);
  void make(const Call& call, TimePoint now);
  void queue_with_permit(Job* first) REQUIRES(members_.mutex);
  bool pass_permit_on(TimePoint now) REQUIRES(members_.mutex);
  int permits_hint() const { return permits_.load(std::memory_order_relaxed); }
  bool wake_more(TimePoint now);
  size_t lacking(TimePoint now) REQUIRES(members_.mutex);
  void start_thread(TimePoint now);

  ServerContext& context_;
  const Platform& platform_;
  Members& members_;
  StopJobs& stops_;
  const bool takes_loops_;
  ReadyQueue queue_;  // its list is guarded by the members' mutex, which each function asks for
  ReadyQueue line_;   // likewise: jobs without a permit
  // That nobody holds. Written with the members' mutex; a hint to others, relaxed.
  std::atomic<int> permits_;
  // When who takes a job counts the active threads again. A hint: relaxed, it publishes nothing.
  std::atomic<TimePoint> look_again_at_{TimePoint::min()};
  TimePoint no_start_before_ GUARDED_BY(members_.mutex) = TimePoint::min();
  LogGate gate_;
};

}}  // namespace trireme
