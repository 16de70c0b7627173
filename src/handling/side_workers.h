// Threads beside the crew: those that run the steps of transport layers which compute for long
// (`layer-N`), and those that read files (`disk-N`).
//
// Steps 2 and 6. Threads: holders of loops hand jobs over, side workers run them. They are no
// members of the crew: they never hold a loop and never run a handler, so handshakes and files
// proceed while every handler blocks, and handlers while many clients shake hands.
//
// 1. First-in first-out. A thread is started when a job comes and none is idle, up to
// `threads_max`.
//    Threads stay until the end.
// 2. Bounded: a connection has one job of a sort at a time, and who submits says how many may wait
//    in front of it.
// 3. A job whose connection has closed may be taken out of the queue.
// 4. Where the system refuses the only thread, jobs that wait go home unrun.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "handling/running_notes.h"
#include "handling/side_job.h"
#include "roster/server_context.h"
#include "runtime/threads/annotations.h"
#include "runtime/threads/mutex.h"
#include "runtime/threads/threads.h"

namespace trireme { inline namespace v0 {

class SideWorkers {
 public:
  struct Settings {
    const char* name;  // of its threads, "layer"
    const char* use;   // "handshakes"
    bool yields;       // no reason to take the CPU from a loop: they wait for their turn
    size_t threads_max;
  };
  SideWorkers(ServerContext& context, const Settings& settings);
  ~SideWorkers();
  SideWorkers(const SideWorkers&) = delete;
  SideWorkers& operator=(const SideWorkers&) = delete;

  // The holder. True: the job is ours, and comes home as mail. False: `waiting_max` wait already,
  // and it is the caller's.
  [[nodiscard]] bool submit(SideJob& job, size_t waiting_max) EXCLUDES(mutex_);
  // The same for a job that waits in any case.
  void submit(std::unique_ptr<SideJob> job) EXCLUDES(mutex_);
  // The holder. True: no thread has come for it, and none will; it is the caller's again. False: it
  // comes home soon.
  [[nodiscard]] bool withdraw(SideJob& job) EXCLUDES(mutex_);

  // Any thread. What each of them runs, and its name.
  void for_each(const std::function<void(const RunningNotes&, std::string)>& told) EXCLUDES(mutex_);

  // One thread, once all loops have stopped. Ends all threads and joins them.
  void join();
  // Leaks the threads. Only for Server::abandon().
  void detach();

 private:
  struct Worker {
    ParkSpot spot;
    std::unique_ptr<Thread> thread;
    RunningNotes running;
  };
  std::string name_of(uint32_t number) const {
    return std::string(settings_.name) + "-" + std::to_string(number);
  }

  void worker_main(Worker& me);
  SideJob* next(Worker& me);
  void start(Worker& worker, uint32_t number);
  void link(SideJob& job) REQUIRES(mutex_);
  void unlink(SideJob& job) REQUIRES(mutex_);
  std::vector<Thread*> stop();

  ServerContext& context_;
  const Platform& platform_;
  const Settings settings_;
  const std::unique_ptr<Worker[]> workers_;  // those with a thread come first

  Mutex mutex_;
  std::vector<Worker*> idle_ GUARDED_BY(mutex_);  // last in, first out: warm caches
  SideJob* first_ GUARDED_BY(mutex_) = nullptr;   // the oldest
  SideJob* last_ GUARDED_BY(mutex_) = nullptr;
  size_t length_ GUARDED_BY(mutex_) = 0;
  uint32_t count_ GUARDED_BY(mutex_) = 0;  // threads
  bool starting_ GUARDED_BY(mutex_) = false;
  bool stopping_ GUARDED_BY(mutex_) = false;
  LogGate gate_;
};

}}  // namespace trireme
