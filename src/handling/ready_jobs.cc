#include "handling/ready_jobs.h"

#include <algorithm>
#include <array>
#include <string>
#include <utility>

#include "runtime/check.h"

namespace trireme { inline namespace v0 {
namespace {

constexpr Duration kStartBackOff =
    std::chrono::milliseconds(10);  // after the system refused a thread
constexpr Duration kOldHead =
    std::chrono::microseconds(100);  // a ready queue this old may get one more thread
constexpr Duration kCountPause = std::chrono::microseconds(50);
constexpr size_t kWokenAtOnce = 32;

int permits_of(const ServerOptions& options) {
  return options.stream_workers > 0 ? options.stream_workers
                                    : std::max(1, options.data_workers / 2);
}

// Jobs of one turn, linked both ways.
struct Chain {
  Job* first = nullptr;
  Job* last = nullptr;
  size_t count = 0;

  void add(Job& job) {
    job.next = nullptr;
    job.previous = last;
    if (last == nullptr) {
      first = &job;
    } else {
      last->next = &job;
    }
    last = &job;
    ++count;
  }
};

}  // namespace

ReadyJobs::ReadyJobs(ServerContext& context, Members& members, StopJobs& stops, bool takes_loops)
    : context_(context),
      platform_(context.platform),
      members_(members),
      stops_(stops),
      takes_loops_(takes_loops),
      permits_(permits_of(context.options)) {}

ReadyJobs::~ReadyJobs() {
  MutexLock lock(members_.mutex);
  CHECK(is_empty(members_.mutex), "a job was left in the ready queue");
  CHECK(line_.oldest(members_.mutex) == nullptr, "a job was left without a permit");
}

void ReadyJobs::submit(Job* first) {
  if (first == nullptr) return;
  const TimePoint now = platform_.clock.now();
  Chain ready, wanting, stops;
  for (Job* job = first; job != nullptr;) {
    Job* const next = static_cast<Job*>(job->next);
    job->queued_at = now;
    job->is_put_aside = false;
    if (job->run.kind == JobKind::kStop) {
      stops.add(*job);
    } else {
      (job->run.permit == StreamPermit::kWanted ? wanting : ready).add(*job);
    }
    job = next;
  }
  if (stops.first != nullptr) stops_.submit(stops.first, stops.last, stops.count);
  Call call;
  {
    MutexLock lock(members_.mutex);
    const size_t before = length_hint();
    if (ready.first != nullptr) queue_.push(members_.mutex, ready.first, ready.last, ready.count);
    if (wanting.first != nullptr) queue_with_permit(wanting.first);
    const size_t queued = length_hint() - before;
    if (queued > 0) call = call_somebody(queued, now);
  }
  make(call, now);
}

// As many as there are permits for; the others stand in line.
void ReadyJobs::queue_with_permit(Job* first) {
  int permits = permits_hint();
  while (first != nullptr) {
    Job* const job = std::exchange(first, static_cast<Job*>(first->next));
    job->next = nullptr;
    job->previous = nullptr;
    const bool has_permit = permits > 0;
    if (has_permit) --permits;
    job->run.permit = has_permit ? StreamPermit::kHeld : StreamPermit::kInLine;
    (has_permit ? queue_ : line_).push(members_.mutex, job, job, 1);
  }
  permits_.store(permits, std::memory_order_relaxed);
}

// Nobody is left behind: with a permit to be had the line is empty.
bool ReadyJobs::pass_permit_on(TimePoint now) {
  Job* const job = line_.pop(members_.mutex);
  if (job == nullptr) {
    permits_.store(permits_hint() + 1, std::memory_order_relaxed);
    return false;
  }
  job->run.permit = StreamPermit::kHeld;
  job->queued_at = now;
  queue_.push(members_.mutex, job, job, 1);
  return true;
}

// This thread looks for a job next, and takes this one if there is none in front of it.
void ReadyJobs::give_back_permit() {
  const TimePoint now = platform_.clock.now();
  Call call;
  {
    MutexLock lock(members_.mutex);
    if (pass_permit_on(now) && length_hint() > 1) call = call_somebody(1, now);
  }
  make(call, now);
}

ReadyJobs::Call ReadyJobs::call_somebody(size_t queued, TimePoint now) {
  // Who is active takes these jobs after his own. Not on one CPU, which he would wait for first,
  // and not where jobs come here because loops lack a reserve: threads are needed for that, too.
  const size_t wanted = members_.active_wanted();
  if (!takes_loops_ && wanted > 1 && members_.count_at_work(now).active >= wanted) return {};
  Call call;
  call.woken = members_.pop_idle();
  call.starts = call.woken == nullptr && members_.may_grow() && now >= no_start_before_ &&
                (length_hint() == queued || is_old(members_.mutex, now));
  if (call.starts) members_.begin_start();
  if (call.woken == nullptr && !call.starts) call.woken = members_.pop_parked_watcher();
  return call;
}

void ReadyJobs::make(const Call& call, TimePoint now) {
  if (call.woken != nullptr) return platform_.threads.unpark(call.woken->spot);
  if (call.starts) start_thread(now);
}

bool ReadyJobs::withdraw(Job& job) {
  const TimePoint now = platform_.clock.now();
  Call call;
  bool was_there = false;
  {
    MutexLock lock(members_.mutex);
    if (job.run.permit == StreamPermit::kInLine) return line_.remove(members_.mutex, job);
    was_there = queue_.remove(members_.mutex, job);
    if (was_there && job.may_wait_on_streams() && pass_permit_on(now)) call = call_somebody(1, now);
  }
  make(call, now);
  return was_there;
}

Job* ReadyJobs::pop(Mutex& guard) {
  if (Job* const stop = stops_.pop(guard)) return stop;
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
