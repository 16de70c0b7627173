// The ready queue's side of the crew: jobs come, and threads are woken or started for them.
#include <algorithm>
#include <array>
#include <string>

#include "handling/crew.h"
#include "runtime/check.h"

namespace trireme { inline namespace v0 {
namespace {

constexpr Duration kStartBackOff =
    std::chrono::milliseconds(10);  // after the system refused a thread
constexpr Duration kOldHead =
    std::chrono::microseconds(100);  // a ready queue this old may get one more thread
constexpr Duration kActive = std::chrono::microseconds(30);
constexpr Duration kCountPause = std::chrono::microseconds(50);
constexpr size_t kWokenAtOnce = 32;

}  // namespace

void Crew::submit(Job* first) {
  if (first == nullptr) return;
  const TimePoint now = platform_.clock.now();
  size_t count = 0;
  Job* last = nullptr;
  for (Job* job = first; job != nullptr; job = static_cast<Job*>(job->next)) {
    job->queued_at = now;
    job->is_put_aside = false;
    last = job;
    ++count;
  }
  Member* woken = nullptr;
  bool grow = false;
  {
    MutexLock lock(mutex_);
    queue_.push(mutex_, first, last, count);
    // Who is active takes these jobs after his own. Not on one CPU, which he would wait for first,
    // and not where jobs come here because loops lack a reserve: threads are needed for that, too.
    const bool may_wait = !takes_loops_ && active_wanted_ > 1;
    if (may_wait && count_at_work(now).active >= active_wanted_) return;
    woken = pop_idle();
    grow = woken == nullptr && may_grow() && now >= no_start_before_ &&
           (queue_.length_hint() == count || queue_is_old(now));
    if (grow) ++starting_;
    if (woken == nullptr && !grow) woken = pop_parked_watcher();
  }
  if (woken != nullptr) return platform_.threads.unpark(woken->spot);
  if (grow) start_for_queue(now);
}

bool Crew::withdraw(Job& job) {
  MutexLock lock(mutex_);
  return queue_.remove(mutex_, job);
}

// Who takes a job looks whether more threads should come. Without the lock as long as that cannot
// be: what is behind a job that is not old is not old, and somebody has just counted.
void Crew::look_at_queue(const Job& taken, TimePoint now) {
  // This thread is active, and on one CPU that is enough.
  if (active_wanted_ == 1 || queue_.length_hint() == 0 || now - taken.queued_at < kOldHead) return;
  if (now < look_again_at_.load(std::memory_order_relaxed)) return;
  wake_more(now);
}

bool Crew::nudge() { return queue_.length_hint() > 0 && wake_more(platform_.clock.now()); }

// True: jobs wait, and nobody is sure to come for them soon.
bool Crew::wake_more(TimePoint now) {
  std::array<Member*, kWokenAtOnce> woken{};
  size_t count = 0;
  {
    MutexLock lock(mutex_);
    if (queue_.oldest(mutex_) == nullptr) return false;
    if (!queue_is_old(now)) return true;
    const size_t wanted = std::min(lacking(now), kWokenAtOnce);
    if (wanted == 0) return true;
    while (count < wanted && (woken[count] = pop_idle()) != nullptr) ++count;
    const bool may_start = may_grow() && now >= no_start_before_;
    if (count == 0 && !may_start && (woken[0] = pop_parked_watcher()) != nullptr) count = 1;
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

// How many threads to wake for an old queue. When all block, as many again, so that a burst of jobs
// that block finds its threads within a few looks.
size_t Crew::lacking(TimePoint now) {
  look_again_at_.store(now + kCountPause, std::memory_order_relaxed);
  const AtWork at_work = count_at_work(now);
  if (at_work.active >= active_wanted_) return 0;
  if (at_work.active > 0) return 1;
  return std::min(std::max<size_t>(at_work.blocked, 1), queue_.length_hint());
}

Crew::AtWork Crew::count_at_work(TimePoint now) {
  const int64_t active_since = (now - kActive).time_since_epoch().count();
  AtWork found;
  size_t awake = 0;
  for (const auto& member : members_) {
    const bool runs = member->running_service.load(std::memory_order_relaxed) != nullptr;
    if (!runs && member->duty != Duty::kRun && member->duty != Duty::kIdle) continue;
    ++awake;
    // Who has lost a loop is late already.
    const bool late = member->duty == Duty::kHold ||
                      member->running_since_ns.load(std::memory_order_relaxed) < active_since;
    if (runs && late) ++found.blocked;
  }
  CHECK(awake >= found.blocked + idle_.size(), "an idle thread runs a handler");
  found.active = awake - found.blocked - idle_.size();
  return found;
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
  context_.log.warning("cannot start a data worker: errno " + std::to_string(error));
}

Crew::Member* Crew::pop_idle() {
  if (idle_.empty()) return nullptr;
  Member* member = idle_.back();
  idle_.pop_back();
  return member;
}

bool Crew::may_grow() const { return !stopping_ && starting_ == 0 && !is_full(); }

// Where loops are not taken, their watchers do nothing else: a thread more for each.
bool Crew::is_full() const {
  const size_t others = takes_loops_ ? loops_total_ : size_t{2} * loops_total_;
  return members_.size() >= others + data_workers_max_;
}

bool Crew::queue_is_old(TimePoint now) {
  const Job* oldest = queue_.oldest(mutex_);
  return oldest != nullptr && now - oldest->queued_at >= kOldHead;
}

}}  // namespace trireme
