#include "handling/ready_jobs.h"

#include <algorithm>
#include <array>
#include <string>

#include "runtime/check.h"

namespace trireme { inline namespace v0 {
namespace {

constexpr Duration kStartBackOff =
    std::chrono::milliseconds(10);  // after the system refused a thread
constexpr Duration kOldHead =
    std::chrono::microseconds(100);  // a ready queue this old may get one more thread
constexpr Duration kCountPause = std::chrono::microseconds(50);
constexpr size_t kWokenAtOnce = 32;

}  // namespace

ReadyJobs::~ReadyJobs() {
  MutexLock lock(members_.mutex);
  CHECK(is_empty(members_.mutex), "a job was left in the ready queue");
}

void ReadyJobs::submit(Job* first) {
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
  CrewMember* woken = nullptr;
  bool grow = false;
  {
    MutexLock lock(members_.mutex);
    queue_.push(members_.mutex, first, last, count);
    // Who is active takes these jobs after his own. Not on one CPU, which he would wait for first,
    // and not where jobs come here because loops lack a reserve: threads are needed for that, too.
    const size_t wanted = members_.active_wanted();
    if (!takes_loops_ && wanted > 1 && members_.count_at_work(now).active >= wanted) return;
    woken = members_.pop_idle();
    grow = woken == nullptr && members_.may_grow() && now >= no_start_before_ &&
           (length_hint() == count || is_old(members_.mutex, now));
    if (grow) members_.begin_start();
    if (woken == nullptr && !grow) woken = members_.pop_parked_watcher();
  }
  if (woken != nullptr) return platform_.threads.unpark(woken->spot);
  if (grow) start_thread(now);
}

bool ReadyJobs::withdraw(Job& job) {
  MutexLock lock(members_.mutex);
  return queue_.remove(members_.mutex, job);
}

Job* ReadyJobs::pop(Mutex& guard) {
  Job* const job = queue_.pop(guard);
  if (job == nullptr) return nullptr;
  if (const Job* next = queue_.oldest(guard)) next->prefetch();
  return job;
}

bool ReadyJobs::is_old(Mutex& guard, TimePoint now) const {
  const Job* oldest = queue_.oldest(guard);
  return oldest != nullptr && now - oldest->queued_at >= kOldHead;
}

// Without the lock as long as no thread can lack: what is behind a job that is not old is not old,
// and somebody has just counted.
void ReadyJobs::look_at(const Job& taken, TimePoint now) {
  // This thread is active, and on one CPU that is enough.
  if (members_.active_wanted() == 1 || length_hint() == 0 || now - taken.queued_at < kOldHead) {
    return;
  }
  if (now < look_again_at_.load(std::memory_order_relaxed)) return;
  wake_more(now);
}

// True: jobs wait, and nobody is sure to come for them soon.
bool ReadyJobs::wake_more(TimePoint now) {
  std::array<CrewMember*, kWokenAtOnce> woken{};
  size_t count = 0;
  {
    MutexLock lock(members_.mutex);
    if (is_empty(members_.mutex)) return false;
    if (!is_old(members_.mutex, now)) return true;
    const size_t wanted = std::min(lacking(now), kWokenAtOnce);
    if (wanted == 0) return true;
    while (count < wanted && (woken[count] = members_.pop_idle()) != nullptr) ++count;
    const bool may_start = members_.may_grow() && now >= no_start_before_;
    if (count == 0 && !may_start && (woken[0] = members_.pop_parked_watcher()) != nullptr) {
      count = 1;
    }
    if (count == 0) {
      // All at work: the first to return takes the next job. A start that was refused is tried
      // again.
      if (!members_.may_grow()) return !members_.is_full() || members_.is_starting();
      if (now < no_start_before_) return true;
      members_.begin_start();
    }
  }
  for (size_t i = 0; i < count; ++i) platform_.threads.unpark(woken[i]->spot);
  if (count == 0) start_thread(now);
  return true;
}

// How many threads to wake for an old queue. When all block, as many again, so that a burst of jobs
// that block finds its threads within a few looks.
size_t ReadyJobs::lacking(TimePoint now) {
  look_again_at_.store(now + kCountPause, std::memory_order_relaxed);
  const Members::AtWork at_work = members_.count_at_work(now);
  if (at_work.active >= members_.active_wanted()) return 0;
  if (at_work.active > 0) return 1;
  return std::min(std::max<size_t>(at_work.blocked, 1), length_hint());
}

// Starts a data worker; Members::begin_start was called for it. The system may refuse: the jobs
// wait.
void ReadyJobs::start_thread(TimePoint now) {
  int error = 0;
  const bool started = members_.start(CrewMember::Duty::kIdle, nullptr, error) != nullptr;
  {
    MutexLock lock(members_.mutex);
    members_.end_start();
    if (!started) no_start_before_ = now + kStartBackOff;
  }
  uint64_t suppressed = 0;
  if (started || !gate_.open(now, suppressed)) return;
  context_.log.warning("cannot start a data worker: errno " + std::to_string(error));
}

}}  // namespace trireme
