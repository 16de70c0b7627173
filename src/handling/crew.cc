#include "handling/crew.h"

#include <algorithm>
#include <string>
#include <utility>

#include "handling/stuck_jobs.h"
#include "runtime/check.h"

namespace trireme { inline namespace v0 {
namespace {

constexpr Duration kIdleTime = std::chrono::milliseconds(500);  // before a thread ends

}  // namespace

Crew::Crew(ServerContext& context, uint32_t data_workers_max, bool takes_loops)
    : context_(context),
      context_kept_(&context),
      platform_(context.platform),
      takes_loops_(takes_loops),
      poll_time_max_(context.options.poll_time_max),
      members_(platform_,
               {.takes_loops = takes_loops,
                .data_workers_max = data_workers_max,
                .poll_time_max = poll_time_max_},
               [this](CrewMember& me) { member_main(me); }),
      stops_(context, members_, [this](CrewMember& me) { run(me); }),
      jobs_(context, members_, stops_, takes_loops),
      read_buffers_(context.buffers),
      reports_(context),
      layer_workers_(context,
                     {.name = "layer",
                      .use = "handshakes",
                      .yields = true,
                      .threads_max = context.options.layer_workers > 0
                                         ? static_cast<size_t>(context.options.layer_workers)
                                         : static_cast<size_t>(platform_.threads.allowed_cpus())}),
      disk_workers_(context, {.name = "disk",
                              .use = "files",
                              .yields = false,
                              .threads_max = static_cast<size_t>(context.options.disk_workers)}) {}

int Crew::start(const std::vector<HeldLoop*>& loops, bool needs_data_workers) {
  members_.expect_loops(static_cast<uint32_t>(loops.size()));
  loops_ = loops;
  {
    MutexLock lock(members_.mutex);
    without_reserve_.reserve(loops.size());  // a watcher that leaves must not need memory
  }
  for (HeldLoop* held : loops) {
    if (!takes_loops_) break;
    const auto owner = platform_.immortal ? weak_from_this() : std::weak_ptr<Crew>();
    lookouts_.push_back(std::make_unique<Lookout>(platform_, held->loop(), owner));
    held->lookout = lookouts_.back().get();
  }
  int error = 0;
  {
    MutexLock lock(members_.mutex);
    members_.begin_start();  // keeps the loops that run already from starting threads meanwhile
  }
  for (HeldLoop* held : loops) {
    if (members_.start(Duty::kHold, held, error) == nullptr) break;
    MutexLock lock(members_.mutex);
    ++loops_running_;
  }
  if (error == 0 && !takes_loops_ && needs_data_workers) {
    members_.start(Duty::kIdle, nullptr, error);
  }
  {
    MutexLock lock(members_.mutex);
    members_.end_start();
  }
  if (error != 0 || !takes_loops_) return error;
  for (HeldLoop* held : loops) {
    const int refused = appoint_reserve(*held);
    if (refused != 0) error = refused;
  }
  MutexLock lock(members_.mutex);
  return members_.count() > members_.loops_total() ? 0 : error;  // some of them will do
}

void Crew::start_watchers() {
  if (takes_loops_) return;
  for (HeldLoop* held : loops_) appoint_reserve(*held);
}

void Crew::member_main(CrewMember& me) {
  me.running.thread.store(platform_.threads.current_id(), std::memory_order_relaxed);
  // Where they never hold loops, data workers do not take a CPU from a loop, or from each other,
  // whenever there is one more job: jobs gather, and each switch does for several. With one CPU
  // loop and data worker alternate anyway.
  const bool only_runs = !takes_loops_ && me.number != CrewMember::kNoNumber;
  if (only_runs && members_.active_wanted() > 1) platform_.threads.wait_its_turn();
  while (next_duty(me)) {
    if (me.duty != Duty::kRun) wake_quiet_loops(me);
    switch (me.duty) {
      case Duty::kHold:
        hold(me);
        break;
      case Duty::kWatch:
        watch(me);
        break;
      case Duty::kRun:
        run(me);
        break;
      case Duty::kIdle:
        CHECK(false, "a duty without work");
    }
  }
  wake_quiet_loops(me);
  me.kit.read_buffer.reset();
  members_.note_ended();
}

// Parks until there is something to do. Jobs come before watching: the queue is older than any
// lend.
bool Crew::next_duty(CrewMember& me) {
  bool waited = false;  // for the whole of its time
  while (true) {
    {
      MutexLock lock(members_.mutex);
      if (me.orders_pending) {
        me.orders_pending = false;
        return true;
      }
      if (Job* job = jobs_.pop(members_.mutex)) {
        me.duty = Duty::kRun;
        me.job = job;
        return true;
      }
      if (members_.is_stopping()) return false;
      if (!without_reserve_.empty() && (takes_loops_ || !members_.was_refused())) {
        me.duty = Duty::kWatch;
        me.loop = without_reserve_.back();
        without_reserve_.pop_back();
        return true;
      }
      members_.note_idle(me);
    }
    wake_quiet_loops(me);
    keep_read_buffer(std::exchange(me.kit.read_buffer, nullptr));  // an idle thread holds none
    waited = !wait_idle(me, waited ? kNever : platform_.clock.now() + kIdleTime);
    if (waited && members_.retire(me)) return false;
    MutexLock lock(members_.mutex);
    members_.note_called(me);
  }
}

// Polls for some time if that is switched on, then parks. False: `until` has come.
bool Crew::wait_idle(CrewMember& me, TimePoint until) {
  if (!may_poll()) return platform_.threads.park(me.spot, until);
  const TimePoint begin = platform_.clock.now();
  TimePoint now = begin;
  bool called = false;
  while (!called && now < begin + me.poll_window.time()) {
    called = platform_.threads.try_park(me.spot);
    if (!called) platform_.threads.relax();
    now = platform_.clock.now();
  }
  if (!called) {
    called = platform_.threads.park(me.spot, until);
    now = platform_.clock.now();
  }
  me.poll_window.waited(now - begin);
  return called;
}

void Crew::hold(CrewMember& me) {
  HeldLoop& held = *me.loop;
  const uint64_t id = me.running.thread.load(std::memory_order_relaxed);
  held.holder_notes.thread.store(id, std::memory_order_relaxed);
  if (held.lookout != nullptr) held.lookout->note_holder(id);
  const HeldLoop::End end = held.hold(me);
  thread_slot = nullptr;
  me.running.clear();
  members_.note_no_other();
  std::string name;
  bool last = false;
  {
    MutexLock lock(members_.mutex);
    name = members_.become_data_worker(me);
    last = end == HeldLoop::End::kStopped && --loops_running_ == 0;
  }
  if (last) read_buffers_.close();
  if (end == HeldLoop::End::kStopped) {
    held.ended.store(true, std::memory_order_seq_cst);
    held.loop().wake_watcher();
  }
  if (end == HeldLoop::End::kLost) {
    platform_.threads.set_name(name);
  } else if (last) {
    platform_.threads.unpark(stopped_spot_);
  }
}

void Crew::run(CrewMember& me) {
  Job* job = std::exchange(me.job, nullptr);
  const TimePoint now = platform_.clock.now();
  jobs_.look_at(*job, now);
  // With more jobs waiting, one wake-up will do for several; with none, this one may block for
  // long.
  if (jobs_.length_hint() == 0) wake_quiet_loops(me);
  const bool has_permit = job->may_wait_on_streams();
  if (job->cancellation.has_expired(now)) {
    if (has_permit) jobs_.give_back_permit();
    return context_.post(job->run.id, std::unique_ptr<Mail>(job));
  }
  job->times.begin(platform_, now, job->run.cpu_timed);
  if (poll_time_max_ > Duration(0)) at_work_.add();
  me.running.note(job->home.service_name, job->run.id, job->times.begun);
  job->begin();
  while (job->run_next()) {
  }
  job->end(nullptr);
  if (has_permit) jobs_.give_back_permit();
  if (job->run.timed) job->times.end(platform_, job->run.cpu_timed);
  me.running.clear();
  if (poll_time_max_ > Duration(0)) at_work_.subtract();
  const uint32_t home = context_.roster.index_of(job->run.id);
  EventLoop& loop = context_.loop(home);
  const bool written = job->write_directly(platform_.kernel);
  const bool unrun = job->requests.run < job->requests.count;  // the loop must go on with them
  if (!written || unrun) return loop.post(std::unique_ptr<Mail>(job));
  // The client has its answer already. The loop is woken only if it has something else to do for
  // the connection (it sets the return flag before it looks into its mailbox for the last time), or
  // when this thread goes idle. The slot may be in use again by now: its flag is then another
  // job's, and a wake-up too many.
  const ReturnFlag& flag = job->direct.return_flag();
  loop.post_quietly(std::unique_ptr<Mail>(job));
  if (flag.is_awaited()) {
    loop.wake_if_asleep();
  } else if (std::find(me.quiet_loops.begin(), me.quiet_loops.end(), home) ==
             me.quiet_loops.end()) {
    me.quiet_loops.push_back(home);
  }
}

void Crew::wake_quiet_loops(CrewMember& me) {
  for (const uint32_t home : me.quiet_loops) context_.loop(home).wake_if_asleep();
  me.quiet_loops.clear();
}

bool Crew::wait_loops_stopped(TimePoint until, const std::atomic<bool>* interrupt) {
  while (true) {
    {
      MutexLock lock(members_.mutex);
      if (loops_running_ == 0) return true;
    }
    if (interrupt != nullptr && interrupt->load(std::memory_order_seq_cst)) return false;
    if (until != kNever && platform_.clock.now() >= until) return false;
    platform_.threads.park(stopped_spot_, until);
  }
}

void Crew::interrupt_wait() { platform_.threads.unpark(stopped_spot_); }

void Crew::join() {
  const std::vector<CrewMember*> members = members_.stop();
  for (CrewMember* member : members) platform_.threads.unpark(member->spot);
  for (CrewMember* member : members) member->thread->join();
  stops_.join();
  layer_workers_.join();
  disk_workers_.join();
  for (auto& lookout : lookouts_) lookout->end();
}

void Crew::join_lookouts(TimePoint until) {
  for (auto& lookout : lookouts_) {
    if (!lookout->join_until(platform_.immortal ? until : kNever)) lookout->detach();
  }
}

void Crew::detach() {
  for (CrewMember* member : members_.stop()) {
    member->thread->detach();
    platform_.threads.unpark(member->spot);
  }
  stops_.detach();
  layer_workers_.detach();
  disk_workers_.detach();
  for (auto& lookout : lookouts_) {
    lookout->end();
    lookout->detach();
  }
}

std::vector<StuckJob> Crew::running_jobs() {
  return find_stuck_jobs(context_, loops_, members_, stops_, layer_workers_, stopped_spot_);
}

}}  // namespace trireme
