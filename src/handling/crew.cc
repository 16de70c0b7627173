#include "handling/crew.h"

#include <algorithm>
#include <array>
#include <utility>

#include "runtime/check.h"

namespace trireme { inline namespace v0 {
namespace {

constexpr Duration kIdleTime = std::chrono::milliseconds(500);  // before a thread ends
constexpr size_t kIdleKept = 2;

}  // namespace

Crew::Crew(ServerContext& context, uint32_t data_workers_max, bool takes_loops)
    : context_(context),
      context_kept_(&context),
      platform_(context.platform),
      takes_loops_(takes_loops),
      data_workers_max_(data_workers_max),
      poll_time_max_(context.options.poll_time_max) {}

Crew::~Crew() {
  MutexLock lock(mutex_);
  CHECK(queue_.oldest(mutex_) == nullptr, "a job was left in the ready queue");
}

int Crew::start(const std::vector<HeldLoop*>& loops, bool needs_data_workers) {
  loops_total_ = static_cast<uint32_t>(loops.size());
  active_wanted_ = std::max<size_t>(1, static_cast<size_t>(platform_.threads.allowed_cpus()));
  loops_ = loops;
  for (HeldLoop* held : loops) {
    if (!takes_loops_) break;
    const auto owner = platform_.immortal ? weak_from_this() : std::weak_ptr<Crew>();
    lookouts_.push_back(std::make_unique<Lookout>(platform_, held->loop(), owner));
    held->lookout = lookouts_.back().get();
  }
  int error = 0;
  {
    MutexLock lock(mutex_);
    ++starting_;  // keeps the loops that run already from starting threads meanwhile
  }
  for (HeldLoop* held : loops) {
    if (start_member(Duty::kHold, held, error) == nullptr) break;
    MutexLock lock(mutex_);
    ++loops_running_;
  }
  if (error == 0 && !takes_loops_ && needs_data_workers) {
    start_member(Duty::kIdle, nullptr, error);
  }
  {
    MutexLock lock(mutex_);
    --starting_;
  }
  if (error != 0 || !takes_loops_) return error;
  for (HeldLoop* held : loops) {
    const int refused = appoint_reserve(*held);
    if (refused != 0) error = refused;
  }
  MutexLock lock(mutex_);
  return members_.size() > loops_total_ ? 0 : error;  // some of them will do
}

void Crew::start_watchers() {
  if (takes_loops_) return;
  for (HeldLoop* held : loops_) appoint_reserve(*held);
}

Crew::Member* Crew::start_member(Duty duty, HeldLoop* held, int& error) {
  Member* member = nullptr;
  std::string name;
  const bool only_reports = duty == Duty::kWatch && !takes_loops_;
  const bool is_data_worker = duty != Duty::kHold && !only_reports;
  {
    MutexLock lock(mutex_);
    if (unused_.empty()) unused_.push_back(std::make_unique<Member>());
    members_.push_back(std::move(unused_.back()));
    unused_.pop_back();
    member = members_.back().get();
    member->number = kNoNumber;
    member->duty = duty;
    member->poll_window = PollWindow(poll_time_max_);
    member->loop = held;
    member->orders_pending = duty != Duty::kIdle;
    if (is_data_worker) {
      member->number = take_number();
      name = "data-" + std::to_string(member->number);
    } else {
      name = (only_reports ? "watch-" : "io-") + std::to_string(held->loop().index());
    }
  }
  threads_now_.add();
  if (!is_data_worker) others_now_.add();
  std::unique_ptr<Thread> thread = platform_.threads.start(
      name, [this, member] { member_main(*member); }, error);
  MutexLock lock(mutex_);
  refused_ = thread == nullptr;
  if (thread == nullptr) {
    threads_now_.subtract();
    if (!is_data_worker) others_now_.subtract();
    if (member->number != kNoNumber) numbers_[member->number] = false;
    const auto own = std::find_if(members_.begin(), members_.end(),
                                  [&](const auto& other) { return other.get() == member; });
    unused_.push_back(std::move(*own));
    members_.erase(own);
    return nullptr;
  }
  member->thread = std::move(thread);
  return member;
}

void Crew::member_main(Member& me) {
  me.thread_id.store(platform_.threads.current_id(), std::memory_order_relaxed);
  // Where they never hold loops, data workers do not take a CPU from a loop, or from each other,
  // whenever there is one more job: jobs gather, and each switch does for several. With one CPU
  // loop and data worker alternate anyway.
  const bool only_runs = !takes_loops_ && me.number != kNoNumber;
  if (only_runs && active_wanted_ > 1) platform_.threads.wait_its_turn();
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
      case Duty::kExit:
        CHECK(false, "a duty without work");
    }
  }
  wake_quiet_loops(me);
  me.kit.read_buffer.reset();
  threads_now_.subtract();
}

// Parks until there is something to do. Jobs come before watching: the queue is older than any
// lend.
bool Crew::next_duty(Member& me) {
  bool waited = false;  // for the whole of its time
  while (true) {
    {
      MutexLock lock(mutex_);
      if (me.orders_pending) {
        me.orders_pending = false;
        return true;
      }
      if (Job* job = queue_.pop(mutex_)) {
        if (const Job* next = queue_.oldest(mutex_)) next->prefetch();
        me.duty = Duty::kRun;
        me.job = job;
        return true;
      }
      if (stopping_) return false;
      if (!without_reserve_.empty() && (takes_loops_ || !refused_)) {
        me.duty = Duty::kWatch;
        me.loop = without_reserve_.back();
        without_reserve_.pop_back();
        return true;
      }
      me.duty = Duty::kIdle;
      if (std::find(idle_.begin(), idle_.end(), &me) == idle_.end()) idle_.push_back(&me);
    }
    wake_quiet_loops(me);
    keep_read_buffer(std::exchange(me.kit.read_buffer, nullptr));  // an idle thread holds none
    waited = !wait_idle(me, waited ? kNever : platform_.clock.now() + kIdleTime);
    if (waited && retire(me)) return false;
    MutexLock lock(mutex_);
    std::erase(idle_, &me);
  }
}

// Polls for some time if that is switched on, then parks. False: `until` has come.
bool Crew::wait_idle(Member& me, TimePoint until) {
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

// Idle for long: ends, unless it is one of the few that are kept, or was called in the last moment.
// It joins the one that has retired before it, so that one at most is left for join().
bool Crew::retire(Member& me) {
  std::unique_ptr<Member> before;
  {
    MutexLock lock(mutex_);
    if (stopping_ || me.orders_pending || idle_.size() <= kIdleKept) return false;
    const auto entry = std::find(idle_.begin(), idle_.end(), &me);
    if (entry == idle_.end()) return false;  // somebody wakes it
    const auto own = std::find_if(members_.begin(), members_.end(),
                                  [&](const auto& member) { return member.get() == &me; });
    if (me.thread == nullptr) return false;  // its starter has not noted it yet
    idle_.erase(entry);
    if (me.number != kNoNumber) numbers_[me.number] = false;
    before = std::exchange(retired_, std::move(*own));
    members_.erase(own);
  }
  if (before == nullptr) return true;
  before->thread->join();
  before->thread.reset();
  // Who called it may still be about to unpark its spot: the next thread to start inherits that.
  MutexLock lock(mutex_);
  unused_.push_back(std::move(before));
  return true;
}

uint32_t Crew::take_number() {
  const auto unused = std::find(numbers_.begin(), numbers_.end(), false);
  const auto number = static_cast<uint32_t>(unused - numbers_.begin());
  if (unused == numbers_.end()) {
    numbers_.push_back(true);
  } else {
    *unused = true;
  }
  return number;
}

void Crew::hold(Member& me) {
  HeldLoop& held = *me.loop;
  const uint64_t id = me.thread_id.load(std::memory_order_relaxed);
  held.holder_thread.store(id, std::memory_order_relaxed);
  if (held.lookout != nullptr) held.lookout->note_holder(id);
  const HeldLoop::End end = held.hold(&me);
  thread_slot = nullptr;
  note_running(me, nullptr, {}, {});
  others_now_.subtract();
  uint32_t number = 0;
  bool last = false;
  {
    MutexLock lock(mutex_);
    if (me.number == kNoNumber) me.number = take_number();
    number = me.number;
    last = end == HeldLoop::End::kStopped && --loops_running_ == 0;
    if (last) read_buffers_.clear();
  }
  if (end == HeldLoop::End::kStopped) {
    held.ended.store(true, std::memory_order_seq_cst);
    held.loop().wake_watcher();
  }
  if (end == HeldLoop::End::kLost) {
    platform_.threads.set_name("data-" + std::to_string(number));
  } else if (last) {
    platform_.threads.unpark(stopped_spot_);
  }
}

void Crew::run(Member& me) {
  Job* job = std::exchange(me.job, nullptr);
  const TimePoint now = platform_.clock.now();
  look_at_queue(*job, now);
  // With more jobs waiting, one wake-up will do for several; with none, this one may block for
  // long.
  if (queue_.length_hint() == 0) wake_quiet_loops(me);
  if (job->has_expired(now)) return context_.post(job->id, std::unique_ptr<Mail>(job));
  job->begin_times(platform_, now);
  if (poll_time_max_ > Duration(0)) at_work_.add();
  note_running(me, job->service_name, job->id, job->begun);
  job->begin();
  while (job->run_next()) {
  }
  job->end(nullptr);
  if (job->timed) job->end_times(platform_);
  note_running(me, nullptr, {}, {});
  if (poll_time_max_ > Duration(0)) at_work_.subtract();
  const uint32_t home = context_.roster.index_of(job->id);
  EventLoop& loop = context_.loop(home);
  const bool written = job->write_directly(platform_.kernel);
  const bool unrun = job->requests_run < job->requests_count;  // the loop must go on with them
  if (!written || unrun) return loop.post(std::unique_ptr<Mail>(job));
  // The client has its answer already. The loop is woken only if it has something else to do for
  // the connection (it sets the return flag before it looks into its mailbox for the last time), or
  // when this thread goes idle. The slot may be in use again by now: its flag is then another
  // job's, and a wake-up too many.
  const ReturnFlag& flag = *job->return_flag;
  loop.post_quietly(std::unique_ptr<Mail>(job));
  if (flag.is_awaited()) {
    loop.wake_if_asleep();
  } else if (std::find(me.quiet_loops.begin(), me.quiet_loops.end(), home) ==
             me.quiet_loops.end()) {
    me.quiet_loops.push_back(home);
  }
}

void Crew::wake_quiet_loops(Member& me) {
  for (const uint32_t home : me.quiet_loops) context_.loop(home).wake_if_asleep();
  me.quiet_loops.clear();
}

void Crew::note_running(Member& member, const char* service, ConnectionId id, TimePoint since) {
  member.running_id.store(id.value, std::memory_order_relaxed);
  member.running_since_ns.store(since.time_since_epoch().count(), std::memory_order_relaxed);
  member.running_service.store(service, std::memory_order_relaxed);
}

}}  // namespace trireme
