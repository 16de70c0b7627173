// The jobs that fire stop tokens and are for a data worker, and the thread that runs them when no
// data worker is idle: `stop-0`.
//
// Step 4. Threads: holders put jobs in, data workers and that thread take them.
//
// A stop token is there for handlers that block, and they may be all that data workers do. So:
// 1. These jobs stand in a line of their own, which whoever takes a job looks at first.
// 2. If nobody is idle the thread comes. It is started when it is needed first, runs nothing else,
//    and stays until the end.
// 3. Where the system refuses it, the loop calls again after a tick.
//
// Bounded: a request has one token at most.
#pragma once

#include <functional>
#include <utility>

#include "handling/members.h"
#include "roster/server_context.h"
#include "runtime/log.h"

namespace trireme { inline namespace v0 {

class StopJobs {
 public:
  // `run`: runs CrewMember::job.
  StopJobs(ServerContext& context, Members& members, std::function<void(CrewMember&)> run)
      : context_(context), platform_(context.platform), members_(members), run_(std::move(run)) {}
  ~StopJobs();
  StopJobs(const StopJobs&) = delete;
  StopJobs& operator=(const StopJobs&) = delete;

  // The holder. Linked by Mail::next and Job::previous, oldest first; at least one.
  void submit(Job* first, Job* last, size_t count) EXCLUDES(members_.mutex);
  // The holder, before it sleeps. True: jobs wait, and nobody may come for them.
  bool nudge() { return line_.length_hint() > 0 && call_thread(); }

  // With `guard`, the mutex of the members. The oldest; null: there is none.
  Job* pop(Mutex& guard) REQUIRES(guard) { return line_.pop(guard); }

  // Any thread. What its own thread runs.
  const RunningNotes& running() const { return me_.running; }

  // One thread, once all loops have stopped. Ends its thread, and joins it.
  void join();
  // Leaks the thread. Only for Server::abandon().
  void detach();

 private:
  bool call_thread() EXCLUDES(members_.mutex);
  void thread_main();
  Thread* stop();

  ServerContext& context_;
  const Platform& platform_;
  Members& members_;
  const std::function<void(CrewMember&)> run_;
  ReadyQueue line_;  // guarded by the members' mutex, as that of ReadyJobs
  CrewMember me_;    // of its thread, which is none of the members
  bool is_starting_ GUARDED_BY(members_.mutex) = false;
  bool is_stopping_ GUARDED_BY(members_.mutex) = false;
  TimePoint no_start_before_ GUARDED_BY(members_.mutex) = TimePoint::min();
  LogGate gate_;
};

}}  // namespace trireme
