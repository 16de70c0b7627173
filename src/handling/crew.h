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
//    old. One LENT word seen at two looks is a late job. If it waits (the CPU clock of its thread
//    stands still), the loop is taken; without a second look if the job has asked for it or the
//    lookout has told. If it computes, the loop is taken when fewer threads compute than there are
//    CPUs: else moving it would give its clients nothing; but after kBusyPatience it is, so that
//    nobody waits for ever. What stalls a loop otherwise is reported.
//    After 100 ms without a lend, and with the loop asleep, it parks; the loop wakes it, or whoever
//    queues a job that nobody else can take.
// 3. Threads are started when nobody is idle, up to io_workers + data_workers_max. One that has
//    been idle for half a second ends, but for a few. Jobs come first where the system refuses
//    threads: watchers that only report are started last, one data worker before them; and a
//    watcher leaves for the ready queue while the last thread that was asked for was refused.
// 4. The ready queue is first-in first-out. Who puts jobs in wakes one idle thread; where loops are
//    not taken and there are several CPUs, only if fewer threads are active (AtWork). One more is
//    woken when the head has grown old and fewer are active than there are CPUs. Who takes a job
//    looks, and a loop that would sleep while the queue is not empty looks again after a tick.
//    Requests that nobody waits for any more - the client is gone, the deadline has passed - are
//    not started: their loop withdraws them, or the thread that takes one sends it home as it is.
// 5. Nothing but `mutex_` guards duties, and no seam is called while it is held.
#pragma once

#include <atomic>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "handling/job.h"
#include "handling/lookout.h"
#include "handling/ready_queue.h"
#include "runtime/event_loop.h"
#include "runtime/log.h"
#include "runtime/threads/annotations.h"
#include "runtime/threads/mutex.h"
#include "runtime/threads/threads.h"
#include "trireme/server.h"

namespace trireme { inline namespace v0 {

// What a reserve has ready, so that taking a loop allocates nothing.
struct SpareKit {
  std::shared_ptr<Block> read_buffer;
};

// A loop with the work that is done in it, as the crew sees it. Implemented by the I/O worker.
class HeldLoop : public LentLoop {
 public:
  enum class End { kStopped, kLost };
  virtual ~HeldLoop() = default;
  virtual EventLoop& loop() = 0;
  // The holder. Turns the loop until it has ended, or until a job of this thread has lost it.
  // `as` identifies the calling thread for the crew: becomes `holder` before anything is lent.
  virtual End hold(void* as) = 0;
  // A spare, while the loop is TAKEN. No allocation, no system call.
  virtual void rearrange(SpareKit& kit) = 0;
  void wake_watcher() final { loop().wake_watcher(); }

  // Set once by the last holder: there is nothing to watch any more.
  std::atomic<bool> ended{false};
  // Written by the watcher, read by the holder before each start of a handler.
  std::atomic<bool> has_reserve{false};
  // Null: nobody looks out, for loops are not taken. Set before start(); the crew's.
  Lookout* lookout = nullptr;
  // How the loop was lost the last time: at once, for the job had asked or the lookout had told; by
  // a tick. The holder's.
  bool lost_at_once = false, lost_while_alert = false;
  // The job that runs with the loop lent. Written by the holder before it lends, read by a spare in
  // TAKEN.
  Job* lent_job = nullptr;
  // What that job is, for reports. Written by the holder before it lends; relaxed: they publish
  // nothing else.
  std::atomic<const char*> lent_service{nullptr};
  std::atomic<uint64_t> lent_id{0};
  std::atomic<uint32_t> lent_kind{0};  // Job::reported_kind
  std::atomic<int64_t> lent_since_ns{0};
  // For whom loop code last decoded, and who holds the loop; likewise.
  std::atomic<const char*> code_service{nullptr};
  std::atomic<uint64_t> code_id{0};
  // Written by the watcher that sees it in loop code for long: in which turn, and since when.
  std::atomic<uint64_t> code_turn{0};
  std::atomic<int64_t> code_since_ns{0};
  std::atomic<uint64_t> holder_thread{0};  // Threads::current_id
  // The crew's note of who holds it. Written by a holder before hold(), read by a spare in TAKEN.
  void* holder = nullptr;
};

using ReadyQueue = BasicReadyQueue<Job>;

// Owners: the server, and lookouts that are late to end.
class Crew : public std::enable_shared_from_this<Crew> {
 public:
  static constexpr size_t kReadBufferBytes = 64 << 10;  // of a reserve, for the loop that it takes

  // `takes_loops`: of jobs that are late; else they are only reported. Needs the loops of
  // `context`.
  Crew(ServerContext& context, uint32_t data_workers_max, bool takes_loops);
  ~Crew();

  // Before start(). Starts one holder a loop, reserves where loops are taken, and else one data
  // worker if `needs_data_workers`: one thread at least that can come for jobs. 0 or an errno
  // value; then nothing runs.
  int start(const std::vector<HeldLoop*>& loops, bool needs_data_workers);
  // After start(), when the rest of the server has its threads. Where loops are not taken: starts
  // the watchers, which only report. The system may refuse them.
  void start_watchers();

  // The holder. Hands over jobs linked by Mail::next and Job::previous, oldest first; null is
  // allowed.
  void submit(Job* first);
  // The holder that has submitted it. True: no thread had come for it, and none will; it is the
  // caller's again.
  [[nodiscard]] bool withdraw(Job& job);
  // The holder, before it sleeps. True: jobs wait, so sleep no longer than a tick and call again.
  bool nudge();
  // Any thread. A hint: polling before sleep is switched on, and no more threads are at work than
  // there are CPUs.
  bool may_poll() const {
    return poll_time_max_ > Duration(0) && loops_total_ + at_work_.get() <= active_wanted_;
  }
  // The holder, under TRIREME_FORCE_HANDOVER: returns when a spare has taken the loop that is lent
  // for `job`.
  void force_take(HeldLoop& held, Job& job);

  // Any thread. A read buffer that the job which lost its loop is done with, for the next reserve:
  // where handlers block often, fresh memory of the system would cost as much as the hand-over.
  // Given back to the system if it is none, if somebody else holds it too, or if there are enough.
  void keep_read_buffer(std::shared_ptr<Block> buffer);

  // One thread at a time, not of the crew. Parks until every loop has stopped: true. False at
  // `until`, or when `interrupt` is set and interrupt_wait() was called.
  bool wait_loops_stopped(TimePoint until, const std::atomic<bool>* interrupt);
  void interrupt_wait();  // Any thread.
  // After that: ends all threads, and joins them but for the lookouts.
  void join();
  // After that: joins the lookouts, or leaves behind those that have not ended by then.
  void join_lookouts(TimePoint until);
  // Leaks the threads that run handlers. Only for Server::abandon().
  void detach();

  // One thread at a time, as wait_loops_stopped. Handlers that run now; and codecs, which takes
  // some time to be sure of.
  std::vector<StuckJob> running_jobs();
  uint64_t data_workers() const { return threads_now_.get() - others_now_.get(); }
  uint64_t stall_reports() const { return stall_reports_.get(); }

 private:
  enum class Duty : uint8_t { kIdle, kHold, kWatch, kRun, kExit };
  static constexpr uint32_t kNoNumber = ~0u;
  // The CPU clock of a thread that runs a job, when a watcher looked at it.
  struct Look {
    uint64_t thread;
    int64_t job_since_ns;
    TimePoint at;
    Duration cpu;
  };
  struct Member {
    ParkSpot spot;
    std::unique_ptr<Thread> thread;
    // The member's own.
    SpareKit kit;
    PollWindow poll_window;
    std::vector<uint32_t>
        quiet_loops;  // to wake before it parks: they have mail of ours that nobody waits for
    // Guarded by the crew's mutex. An order is given by another thread while this one is idle.
    Duty duty = Duty::kIdle;
    HeldLoop* loop = nullptr;
    Job* job = nullptr;
    bool orders_pending = false;
    uint32_t number =
        kNoNumber;  // of the data worker; a thread that only held a loop so far has none
    ReadyQueue::Watcher watcher;
    // The handler that it runs away from any loop, for reports. Written by this thread, or by the
    // spare that takes the loop away from it, in TAKEN; relaxed: they publish nothing but
    // themselves.
    std::atomic<const char*> running_service{nullptr};
    std::atomic<uint64_t> running_id{0};
    std::atomic<int64_t> running_since_ns{0};
    std::atomic<uint64_t> thread_id{0};  // Threads::current_id; likewise
    std::vector<Look> looks;             // its own, while it watches
  };

  // Threads that are not idle and neither hold nor watch a loop. Active: on its way to a job,
  // between two, or in a handler that has run for less than 30 us. The others block, or lost their
  // CPU in it.
  struct AtWork {
    size_t active = 0, blocked = 0;
  };

  // What a watcher saw at its ticks: since when, and how far the CPU clock of the holder was then.
  struct Sight {
    uint64_t word = 0;
    uint64_t turn = 0;  // LoopCounters::loop_turns
    TimePoint since;
    Duration cpu{0};
    bool has_cpu = false;
    bool computes = false;  // the holder, since then
    bool counted = false, reported = false;
  };
  // Something that kept a loop from its clients.
  struct Stall {
    enum class What : uint8_t { kMoved, kHandler, kLoopCode } what;
    uint32_t loop;
    const char* service;
    uint32_t kind;  // Job::reported_kind
    ConnectionId id;
    uint64_t thread;
    TimePoint since;
    bool computes;
  };

  void member_main(Member& me);
  void hold(Member& me);
  void watch(Member& me) NO_THREAD_SAFETY_ANALYSIS;
  void run(Member& me);
  void wake_quiet_loops(Member& me);
  bool next_duty(Member& me);
  bool wait_idle(Member& me, TimePoint until);
  std::vector<HeldLoop*> wait_for_turns();
  bool leave_watch();
  void end_watch(Member& me);
  bool retire(Member& me);
  uint32_t take_number() REQUIRES(mutex_);
  Member* pop_parked_watcher() REQUIRES(mutex_);
  bool take_loop(Member& me, Sight& sight, TimePoint now) NO_THREAD_SAFETY_ANALYSIS;
  bool see_again(HeldLoop& held, Sight& sight, TimePoint now);
  TimePoint look_again_at(const HeldLoop& held, const Sight& sight, TimePoint now,
                          Duration tick) const;
  bool is_late(const HeldLoop& held, const Sight& sight, TimePoint now) const;
  static TimePoint lent_since(const HeldLoop& held);
  bool should_take(Member& me, Sight& sight, bool at_once, TimePoint now);
  size_t count_computing(Member& me, TimePoint now);
  void see_stall(HeldLoop& held, Sight& sight, TimePoint now);
  void report_moved(TimePoint now);
  // How many lines of a sort may still come in this minute, and how many did not.
  struct ReportsLeft {
    TimePoint minute = TimePoint::min();
    uint32_t left = 0;
    uint64_t suppressed = 0;
  };
  bool may_report(ReportsLeft& reports, TimePoint now, uint64_t& suppressed);
  void report(const Stall& stall, TimePoint now);
  int appoint_reserve(HeldLoop& held);
  std::shared_ptr<Block> take_read_buffer();
  bool equip(Member& me);
  Member* start_member(Duty duty, HeldLoop* held, int& error);
  Member* pop_idle() REQUIRES(mutex_);
  bool may_grow() const REQUIRES(mutex_);
  bool is_full() const REQUIRES(mutex_);
  void look_at_queue(const Job& taken, TimePoint now);
  bool wake_more(TimePoint now);
  void start_for_queue(TimePoint now);
  bool queue_is_old(TimePoint now) REQUIRES(mutex_);
  size_t lacking(TimePoint now) REQUIRES(mutex_);
  AtWork count_at_work(TimePoint now) REQUIRES(mutex_);
  static void note_running(Member& member, const char* service, ConnectionId id, TimePoint since);

  ServerContext& context_;
  const ContextRef context_kept_;  // a late lookout looks at a loop of it
  const Platform& platform_;
  const bool takes_loops_;
  const uint32_t data_workers_max_;
  const Duration poll_time_max_;
  uint32_t loops_total_ = 0;
  size_t active_wanted_ = 1;                        // one for each CPU
  std::vector<HeldLoop*> loops_;                    // immutable after start
  std::vector<std::unique_ptr<Lookout>> lookouts_;  // likewise

  Mutex mutex_;
  std::vector<std::unique_ptr<Member>> members_ GUARDED_BY(mutex_);
  std::vector<Member*> idle_ GUARDED_BY(mutex_);  // last in, first out: warm stacks
  std::vector<HeldLoop*> without_reserve_ GUARDED_BY(mutex_);
  // When who takes a job counts the active threads again. A hint: relaxed, it publishes nothing.
  std::atomic<TimePoint> look_again_at_{TimePoint::min()};
  std::vector<std::shared_ptr<Block>> read_buffers_ GUARDED_BY(mutex_);
  uint32_t starting_ GUARDED_BY(mutex_) = 0;            // threads on their way
  std::vector<bool> numbers_ GUARDED_BY(mutex_);        // of data workers: which are in use
  std::unique_ptr<Member> retired_ GUARDED_BY(mutex_);  // ended, or about to; joined by the next
  std::vector<std::unique_ptr<Member>> unused_ GUARDED_BY(mutex_);  // without a thread
  TimePoint no_start_before_ GUARDED_BY(mutex_) = TimePoint::min();
  uint32_t loops_running_ GUARDED_BY(mutex_) = 0;
  bool stopping_ GUARDED_BY(mutex_) = false;
  bool refused_ GUARDED_BY(mutex_) = false;  // the last thread that was asked for
  ReadyQueue queue_;  // its list is guarded by mutex_, which every function of it asks for
  ParkSpot stopped_spot_;
  SharedCounter threads_now_, others_now_;
  SharedCounter at_work_;  // data workers in handlers; counted only for polling
  // A job that has just lost its loop, for the next watcher that ticks to report: the thread that
  // took the loop has clients to serve.
  std::optional<Stall> moved_ GUARDED_BY(mutex_);
  std::atomic<bool> moved_waits_{false};
  ReportsLeft stalls_left_, moves_left_;  // with mutex_ held
  SharedCounter stall_reports_;
  LogGate gate_;
};

}}  // namespace trireme
