// The threads of the crew: which there are, which of them are idle, how many more may come.
//
// Step 4. Threads: all of the crew. `mutex` guards all that is not atomic, and what the crew
// decides with it; no seam is called while it is held.
//
// Threads are started when nobody is idle, up to io_workers + data_workers_max. One that has been
// idle for half a second ends, but for a few.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "handling/held_loop.h"
#include "handling/ready_queue.h"
#include "handling/running_notes.h"
#include "runtime/counters.h"
#include "runtime/threads/annotations.h"
#include "runtime/threads/mutex.h"
#include "runtime/threads/poll_window.h"
#include "runtime/threads/threads.h"

namespace trireme { inline namespace v0 {

using ReadyQueue = BasicReadyQueue<Job>;

struct CrewMember {
  enum class Duty : uint8_t { kIdle, kHold, kWatch, kRun };
  static constexpr uint32_t kNoNumber = ~0u;

  ParkSpot spot;
  std::unique_ptr<Thread> thread;
  // The member's own.
  SpareKit kit;
  PollWindow poll_window;
  std::vector<uint32_t> quiet_loops;  // to wake before it parks: they have mail of ours that nobody
                                      // waits for
  // Guarded by Members::mutex. An order is given by another thread while this one is idle.
  Duty duty = Duty::kIdle;
  HeldLoop* loop = nullptr;
  Job* job = nullptr;
  bool orders_pending = false;
  uint32_t number = kNoNumber;  // of the data worker; a thread that only held a loop has none
  ReadyQueue::Watcher watcher;
  RunningNotes running;
};

class Members {
 public:
  struct Settings {
    bool takes_loops;  // of jobs that are late; else watchers only report
    uint32_t data_workers_max;
    Duration poll_time_max;
  };
  // Threads that are not idle and neither hold nor watch a loop. Active: on its way to a job,
  // between two, or in a handler that has run for less than 30 us. The others block, or lost their
  // CPU in it.
  struct AtWork {
    size_t active = 0, blocked = 0;
  };

  // `main`: what each thread does.
  Members(const Platform& platform, const Settings& settings,
          std::function<void(CrewMember&)> main);

  // Before the first start. How many loops there are.
  void expect_loops(uint32_t loops);
  uint32_t loops_total() const { return loops_total_; }
  // So many threads are to be active: one for each CPU.
  size_t active_wanted() const { return active_wanted_; }

  Mutex mutex;

  // Any thread, without the mutex. Starts a thread with this duty. Null: the system has refused it,
  // with `error`, an errno value.
  CrewMember* start(CrewMember::Duty duty, HeldLoop* held, int& error) EXCLUDES(mutex);
  // `me`, idle for long: ends, unless it is one of the few that are kept, or was called in the last
  // moment. It joins the one that has retired before it, so that one at most is left for the end.
  bool retire(CrewMember& me) EXCLUDES(mutex);
  // The end. All threads that are there, told to end as soon as they are idle, or woken.
  std::vector<CrewMember*> stop() EXCLUDES(mutex);

  void note_idle(CrewMember& me) REQUIRES(mutex);
  void note_called(CrewMember& me) REQUIRES(mutex) { std::erase(idle_, &me); }
  bool has_idle() const REQUIRES(mutex) { return !idle_.empty(); }
  // One that is idle, and is not any more: the caller wakes it. Null: nobody is.
  CrewMember* pop_idle() REQUIRES(mutex);
  // A watcher that could come for the ready queue when all others are at work; null: there is none,
  // or one more thread may be started. It looks for itself whether it is needed.
  CrewMember* pop_parked_watcher() REQUIRES(mutex);
  // One more thread may be started. begin_start, then start, then end_start: one at a time.
  bool may_grow() const REQUIRES(mutex) { return !stopping_ && starting_ == 0 && !is_full(); }
  bool is_full() const REQUIRES(mutex);
  void begin_start() REQUIRES(mutex) { ++starting_; }
  void end_start() REQUIRES(mutex) { --starting_; }
  bool is_starting() const REQUIRES(mutex) { return starting_ > 0; }
  bool is_stopping() const REQUIRES(mutex) { return stopping_; }
  // The last thread that was asked for was refused.
  bool was_refused() const REQUIRES(mutex) { return refused_; }
  size_t count() const REQUIRES(mutex) { return all_.size(); }
  const std::vector<std::unique_ptr<CrewMember>>& all() const REQUIRES(mutex) { return all_; }
  AtWork count_at_work(TimePoint now) const REQUIRES(mutex);

  // A thread has become a data worker: it gets a number if it has none, and is counted as one.
  std::string become_data_worker(CrewMember& me) REQUIRES(mutex);
  // A thread becomes something else, or is not that any more before it becomes a data worker.
  void note_other() { others_now_.add(); }
  void note_no_other() { others_now_.subtract(); }
  // `me`, at the end of its main.
  void note_ended() { threads_now_.subtract(); }
  uint64_t data_workers() const { return threads_now_.get() - others_now_.get(); }

 private:
  uint32_t take_number() REQUIRES(mutex);

  const Platform& platform_;
  const Settings settings_;
  const std::function<void(CrewMember&)> main_;
  uint32_t loops_total_ = 0;
  size_t active_wanted_ = 1;

  std::vector<std::unique_ptr<CrewMember>> all_ GUARDED_BY(mutex);
  std::vector<CrewMember*> idle_ GUARDED_BY(mutex);  // last in, first out: warm stacks
  std::vector<std::unique_ptr<CrewMember>> unused_ GUARDED_BY(mutex);  // without a thread
  std::unique_ptr<CrewMember> retired_ GUARDED_BY(mutex);  // ended, or about to; joined by the next
  std::vector<bool> numbers_ GUARDED_BY(mutex);            // of data workers: which are in use
  uint32_t starting_ GUARDED_BY(mutex) = 0;                // threads on their way
  bool stopping_ GUARDED_BY(mutex) = false;
  bool refused_ GUARDED_BY(mutex) = false;
  SharedCounter threads_now_, others_now_;  // others: that are no data workers
};

}}  // namespace trireme
