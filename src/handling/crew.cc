#include "handling/crew.h"

#include <algorithm>
#include <array>
#include <utility>

#include "runtime/check.h"

namespace trireme::inline v0 {
namespace {

constexpr Duration kStartBackOff =
    std::chrono::milliseconds(10);  // after the system refused a thread
constexpr Duration kOldHead =
    std::chrono::microseconds(100);  // a ready queue this old may get one more thread
constexpr Duration kActive = std::chrono::microseconds(30);
constexpr Duration kCountPause = std::chrono::microseconds(20);
constexpr size_t kWokenAtOnce = 32;

}  // namespace

Crew::Crew(Core& core, uint32_t data_workers_max, Dispatch dispatch)
    : core_(core),
      platform_(core.platform),
      dispatch_(dispatch),
      data_workers_max_(data_workers_max) {}

Crew::~Crew() {
  MutexLock lock(mutex_);
  CHECK(queue_.oldest(mutex_) == nullptr, "a job was left in the ready queue");
}

int Crew::start(const std::vector<HeldLoop*>& loops) {
  loops_total_ = static_cast<uint32_t>(loops.size());
  active_wanted_ = std::max<size_t>(1, static_cast<size_t>(platform_.threads.allowed_cpus()));
  loops_ = loops;
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
  {
    MutexLock lock(mutex_);
    --starting_;
  }
  // With `workers` nothing runs with a loop lent, so there is nothing to watch.
  if (error != 0 || dispatch_ == Dispatch::kWorkers) return error;
  for (HeldLoop* held : loops) appoint_reserve(*held);
  return 0;
}

Crew::Member* Crew::start_member(Duty duty, HeldLoop* held, int& error) {
  Member* member = nullptr;
  std::string name;
  {
    MutexLock lock(mutex_);
    members_.push_back(std::make_unique<Member>());
    member = members_.back().get();
    member->duty = duty;
    member->loop = held;
    member->orders_pending = duty != Duty::kIdle;
    if (duty != Duty::kHold) member->number = next_number_++;
    name = duty == Duty::kHold ? "io-" + std::to_string(held->loop().index())
                               : "data-" + std::to_string(member->number);
  }
  threads_now_.add();
  if (duty == Duty::kHold) holders_now_.add();
  std::unique_ptr<Thread> thread = platform_.threads.start(
      name, [this, member] { member_main(*member); }, error);
  MutexLock lock(mutex_);
  if (thread == nullptr) {
    threads_now_.subtract();
    if (duty == Duty::kHold) holders_now_.subtract();
    std::erase_if(members_, [member](const auto& other) { return other.get() == member; });
    return nullptr;
  }
  member->thread = std::move(thread);
  return member;
}

void Crew::member_main(Member& me) {
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
  while (true) {
    {
      MutexLock lock(mutex_);
      if (me.orders_pending) {
        me.orders_pending = false;
        return true;
      }
      if (Job* job = queue_.pop(mutex_)) {
        me.duty = Duty::kRun;
        me.job = job;
        return true;
      }
      if (stopping_) return false;
      if (!without_reserve_.empty()) {
        me.duty = Duty::kWatch;
        me.loop = without_reserve_.back();
        without_reserve_.pop_back();
        return true;
      }
      me.duty = Duty::kIdle;
      if (std::find(idle_.begin(), idle_.end(), &me) == idle_.end()) idle_.push_back(&me);
    }
    wake_quiet_loops(me);
    me.kit.read_buffer.reset();  // an idle thread holds no buffer
    platform_.threads.park(me.spot, kNever);
    MutexLock lock(mutex_);
    std::erase(idle_, &me);
  }
}

void Crew::hold(Member& me) {
  HeldLoop& held = *me.loop;
  const HeldLoop::End end = held.hold(&me);
  note_running(me, nullptr, {}, {});
  holders_now_.subtract();
  uint32_t number = 0;
  bool last = false;
  {
    MutexLock lock(mutex_);
    if (me.number == kNoNumber) me.number = next_number_++;
    number = me.number;
    last = end == HeldLoop::End::kStopped && --loops_running_ == 0;
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
  wake_more(true);
  // With more jobs waiting, one wake-up will do for several; with none, this one may block for
  // long.
  if (queue_.length_hint() == 0) wake_quiet_loops(me);
  const TimePoint begin = platform_.clock.now();
  note_running(me, job->service_name, job->id, begin);
  job->begin();
  while (job->run_next()) {
  }
  job->end();
  if (job->timed) job->time = platform_.clock.now() - begin;
  note_running(me, nullptr, {}, {});
  const uint32_t home = job->id.home();
  EventLoop& loop = core_.loop(home);
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
  for (const uint32_t home : me.quiet_loops) core_.loop(home).wake_if_asleep();
  me.quiet_loops.clear();
}

void Crew::note_running(Member& member, const char* service, ConnectionId id, TimePoint since) {
  member.running_id.store(id.value, std::memory_order_relaxed);
  member.running_since_ns.store(since.time_since_epoch().count(), std::memory_order_relaxed);
  member.running_service.store(service, std::memory_order_relaxed);
}

void Crew::submit(Job* first) {
  if (first == nullptr) return;
  const TimePoint now = platform_.clock.now();
  size_t count = 0;
  Job* last = nullptr;
  for (Job* job = first; job != nullptr; job = static_cast<Job*>(job->next)) {
    job->queued_at = now;
    last = job;
    ++count;
  }
  Member* woken = nullptr;
  bool grow = false;
  {
    MutexLock lock(mutex_);
    queue_.push(mutex_, first, last, count);
    woken = pop_idle();
    grow = woken == nullptr && may_grow() && now >= no_start_before_ &&
           (queue_.length_hint() == count || queue_is_old(now));
    if (grow) ++starting_;
    if (woken == nullptr && !grow && is_full()) woken = pop_parked_watcher();
  }
  if (woken != nullptr) return platform_.threads.unpark(woken->spot);
  if (grow) start_for_queue(now);
}

// True: jobs wait, and nobody is sure to come for them soon. `takes_a_job`: the caller is a thread
// of the crew that runs one now.
bool Crew::wake_more(bool takes_a_job) {
  if (queue_.length_hint() == 0) return false;
  const TimePoint now = platform_.clock.now();
  std::array<Member*, kWokenAtOnce> woken{};
  size_t count = 0;
  {
    MutexLock lock(mutex_);
    if (queue_.oldest(mutex_) == nullptr) return false;
    if (!queue_is_old(now)) return true;
    const size_t wanted = std::min(lacking(now, takes_a_job), kWokenAtOnce);
    if (wanted == 0) return true;
    while (count < wanted && (woken[count] = pop_idle()) != nullptr) ++count;
    if (count == 0 && is_full() && (woken[0] = pop_parked_watcher()) != nullptr) count = 1;
    if (count == 0) {
      // All at work: the first to return takes the next job. A start that was refused is tried
      // again.
      if (!may_grow()) return !is_full() || starting_ > 0;
      if (now < no_start_before_) return true;
      ++starting_;
    }
  }
  for (size_t i = 0; i < count; ++i) platform_.threads.unpark(woken[i]->spot);
  if (count == 0) start_for_queue(now);
  return true;
}

// How many threads to wake for an old queue. When all block, as many again as there are at work, so
// that a burst of jobs that block finds its threads within a few looks.
size_t Crew::lacking(TimePoint now, bool self_is_active) {
  if (self_is_active && now < counted_at_ + kCountPause) return 0;
  counted_at_ = now;
  const int64_t active_since = (now - kActive).time_since_epoch().count();
  size_t active = self_is_active ? 1 : 0;
  size_t at_work = active;
  for (const auto& member : members_) {
    if (member->running_service.load(std::memory_order_relaxed) == nullptr) continue;
    ++at_work;
    if (member->running_since_ns.load(std::memory_order_relaxed) >= active_since) ++active;
  }
  if (active >= active_wanted_) return 0;
  return active > 0 ? 1 : std::min(std::max<size_t>(at_work, 1), queue_.length_hint());
}

// Starts a data worker for the ready queue; `starting_` was counted up for it. The system may
// refuse: the jobs wait.
void Crew::start_for_queue(TimePoint now) {
  int error = 0;
  const bool started = start_member(Duty::kIdle, nullptr, error) != nullptr;
  {
    MutexLock lock(mutex_);
    --starting_;
    if (!started) no_start_before_ = now + kStartBackOff;
  }
  uint64_t suppressed = 0;
  if (started || !gate_.open(now, suppressed)) return;
  core_.log.warning("cannot start a data worker: errno " + std::to_string(error));
}

Crew::Member* Crew::pop_idle() {
  if (idle_.empty()) return nullptr;
  Member* member = idle_.back();
  idle_.pop_back();
  return member;
}

bool Crew::may_grow() const { return !stopping_ && starting_ == 0 && !is_full(); }

bool Crew::is_full() const { return members_.size() >= size_t{loops_total_} + data_workers_max_; }

bool Crew::queue_is_old(TimePoint now) {
  const Job* oldest = queue_.oldest(mutex_);
  return oldest != nullptr && now - oldest->queued_at >= kOldHead;
}

bool Crew::wait_loops_stopped(TimePoint until, const std::atomic<bool>* interrupt) {
  while (true) {
    {
      MutexLock lock(mutex_);
      if (loops_running_ == 0) return true;
    }
    if (interrupt != nullptr && interrupt->load(std::memory_order_seq_cst)) return false;
    if (until != kNever && platform_.clock.now() >= until) return false;
    platform_.threads.park(stopped_spot_, until);
  }
}

void Crew::interrupt_wait() { platform_.threads.unpark(stopped_spot_); }

void Crew::join() {
  std::vector<Member*> members;
  {
    MutexLock lock(mutex_);
    stopping_ = true;
    for (auto& member : members_) members.push_back(member.get());
  }
  for (Member* member : members) platform_.threads.unpark(member->spot);
  for (Member* member : members) member->thread->join();
}

void Crew::detach() {
  std::vector<Member*> members;
  {
    MutexLock lock(mutex_);
    stopping_ = true;
    for (auto& member : members_) members.push_back(member.get());
  }
  for (Member* member : members) {
    member->thread->detach();
    platform_.threads.unpark(member->spot);
  }
}

std::vector<StuckJob> Crew::running_jobs() {
  const int64_t now_ns = platform_.clock.now().time_since_epoch().count();
  std::vector<StuckJob> jobs;
  const auto add = [&](const char* service, std::string thread, uint64_t id, int64_t since_ns) {
    const SlotRecord* record = core_.record(ConnectionId{id});
    jobs.push_back({.service = service,
                    .thread = std::move(thread),
                    .peer = record != nullptr ? core_.describe(*record) : std::string(),
                    .running_for = Duration(now_ns - since_ns)});
  };
  for (HeldLoop* held : loops_) {
    if (LoopWord::state(held->loop().word()) != LoopWord::kLent) continue;
    add(held->lent_service.load(std::memory_order_relaxed),
        "io-" + std::to_string(held->loop().index()), held->lent_id.load(std::memory_order_relaxed),
        held->lent_since_ns.load(std::memory_order_relaxed));
  }
  MutexLock lock(mutex_);
  for (const auto& member : members_) {
    const char* service = member->running_service.load(std::memory_order_relaxed);
    if (service == nullptr) continue;
    // A thread that lost its loop gets its number when the handler returns; until then it has none.
    const std::string thread =
        member->number == kNoNumber ? "data" : "data-" + std::to_string(member->number);
    add(service, thread, member->running_id.load(std::memory_order_relaxed),
        member->running_since_ns.load(std::memory_order_relaxed));
  }
  return jobs;
}

}  // namespace trireme
