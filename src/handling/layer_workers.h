// The threads that run the steps of transport layers which compute for long: `layer-N`.
//
// Step 2. Threads: holders of loops hand jobs over, layer workers run them. They are no members of
// the crew: they never hold a loop and never run a handler, so handshakes proceed while every
// handler blocks, and handlers while many clients shake hands.
//
// 1. First-in first-out. A thread is started when a job comes and none is idle, up to one for each
//    CPU: more would not compute more. Threads stay until the end.
// 2. Bounded: at most `steps_max` jobs wait. Over that the first step of a connection is refused.
//    Later steps are not: a client has one at a time, and what was computed for it is not lost.
// 3. A job whose connection has closed is taken out of the queue.
// 4. Where the system refuses the only thread, jobs that wait go home unrun.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "handling/layer_job.h"
#include "handling/running_notes.h"
#include "roster/server_context.h"
#include "runtime/threads/annotations.h"
#include "runtime/threads/mutex.h"
#include "runtime/threads/threads.h"

namespace trireme { inline namespace v0 {

class LayerWorkers {
 public:
  explicit LayerWorkers(ServerContext& context);
  ~LayerWorkers();
  LayerWorkers(const LayerWorkers&) = delete;
  LayerWorkers& operator=(const LayerWorkers&) = delete;

  // The holder. True: the job comes home as mail. False: too many wait, and it is the caller's.
  [[nodiscard]] bool submit(LayerJob& job) EXCLUDES(mutex_);
  // The holder. True: no thread has come for it, and none will; it is the caller's again. False: it
  // comes home soon.
  [[nodiscard]] bool withdraw(LayerJob& job) EXCLUDES(mutex_);

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

  void worker_main(Worker& me);
  LayerJob* next(Worker& me);
  void start(Worker& worker, uint32_t number);
  void link(LayerJob& job) REQUIRES(mutex_);
  void unlink(LayerJob& job) REQUIRES(mutex_);
  std::vector<Thread*> stop();

  ServerContext& context_;
  const Platform& platform_;
  const uint32_t threads_max_;
  const std::unique_ptr<Worker[]> workers_;  // those with a thread come first

  Mutex mutex_;
  std::vector<Worker*> idle_ GUARDED_BY(mutex_);  // last in, first out: warm caches
  LayerJob* first_ GUARDED_BY(mutex_) = nullptr;  // the oldest
  LayerJob* last_ GUARDED_BY(mutex_) = nullptr;
  size_t length_ GUARDED_BY(mutex_) = 0;
  uint32_t count_ GUARDED_BY(mutex_) = 0;  // threads
  bool starting_ GUARDED_BY(mutex_) = false;
  bool stopping_ GUARDED_BY(mutex_) = false;
  LogGate gate_;
};

}}  // namespace trireme
