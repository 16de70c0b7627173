#include "handling/stop_jobs.h"

#include <algorithm>
#include <array>
#include <string>
#include <utility>

#include "runtime/check.h"

namespace trireme { inline namespace v0 {
namespace {

constexpr Duration kStartPause = std::chrono::milliseconds(10);  // after the system refused it
constexpr size_t kWokenForStops = 32;

}  // namespace

StopJobs::~StopJobs() {
  MutexLock lock(members_.mutex);
  CHECK(line_.oldest(members_.mutex) == nullptr, "a stop token was left to be fired");
}

void StopJobs::submit(Job* first, Job* last, size_t count) {
  std::array<CrewMember*, kWokenForStops> woken{};
  size_t called = 0;
  {
    MutexLock lock(members_.mutex);
    line_.push(members_.mutex, first, last, count);
    const size_t most = std::min(count, kWokenForStops);
    while (called < most && (woken[called] = members_.pop_idle()) != nullptr) ++called;
  }
  for (size_t i = 0; i < called; ++i) platform_.threads.unpark(woken[i]->spot);
  if (called < count) call_thread();
}

// True: it is not there yet.
bool StopJobs::call_thread() {
  const TimePoint now = platform_.clock.now();
  bool is_there = false;
  {
    MutexLock lock(members_.mutex);
    is_there = me_.thread != nullptr;
    if (!is_there && (is_starting_ || now < no_start_before_)) return true;
    is_starting_ = !is_there;
  }
  if (is_there) {
    platform_.threads.unpark(me_.spot);
    return false;
  }
  int error = 0;
  std::unique_ptr<Thread> thread = platform_.threads.start(
      "stop-0", [this] { thread_main(); }, error);
  const bool is_started = thread != nullptr;
  {
    MutexLock lock(members_.mutex);
    is_starting_ = false;
    me_.thread = std::move(thread);
    if (!is_started) no_start_before_ = time_after(now, kStartPause);
  }
  if (is_started) return false;
  gate_.write(context_.log, LogLevel::kWarning, now, [error] {
    return "cannot start the thread that fires stop tokens: errno " + std::to_string(error);
  });
  return true;
}

void StopJobs::thread_main() {
  me_.running.thread.store(platform_.threads.current_id(), std::memory_order_relaxed);
  while (true) {
    {
      MutexLock lock(members_.mutex);
      me_.job = pop(members_.mutex);
      if (me_.job == nullptr && is_stopping_) return;
    }
    if (me_.job != nullptr) {
      run_(me_);
    } else {
      platform_.threads.park(me_.spot, kNever);
    }
  }
}

// Null: there is none.
Thread* StopJobs::stop() {
  {
    MutexLock lock(members_.mutex);
    is_stopping_ = true;
    if (me_.thread == nullptr) return nullptr;
  }
  platform_.threads.unpark(me_.spot);
  return me_.thread.get();
}

void StopJobs::join() {
  if (Thread* const thread = stop()) thread->join();
}

void StopJobs::detach() {
  if (Thread* const thread = stop()) thread->detach();
}

}}  // namespace trireme
