// A thread at a pool: who it is, how it waits, and those that it calls.
//
// Step 4. Threads: any; each object belongs to the thread that makes it, but a waiter in a line,
// which is guarded by the mutex of its pool until it is popped, and then its giver's until it is
// settled (waiting_line.h).
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>

#include "handling/job.h"
#include "handling/waiting_line.h"
#include "runtime/check.h"
#include "runtime/threads/mutex.h"
#include "runtime/threads/threads.h"
#include "trireme/detail/pool_core.h"

namespace trireme { inline namespace v0 { namespace detail {

// Who calls: a handler, loop code, or a thread that the server does not know.
class PoolCaller {
 public:
  PoolCaller() {
    Outbox* const outbox = Outbox::current();
    if (outbox != nullptr) job_ = static_cast<Job*>(outbox->owner);
  }
  // Loop code gives things back, when it drops what owned them. It must not wait, nor run what may.
  static bool is_loop_code() { return thread_slot == &loop_code_mark; }
  static void must_not_be_loop_code() {
    CHECK(!is_loop_code(), "loop code must not block: only handlers may wait");
  }

  bool is_handler() const { return job_ != nullptr; }
  const Platform& platform() const {
    return job_ != nullptr ? job_->run.context->platform : real_platform();
  }
  TimePoint now() const { return platform().clock.now(); }
  TimePoint deadline() const { return job_ != nullptr ? job_->cancellation.deadline() : kNever; }
  void give_away() const {
    if (job_ != nullptr) job_->loan.give_away();
  }
  // Seen here, too, when the deadline has passed: the loop may not turn.
  bool is_cancelled(TimePoint now) const {
    return job_ != nullptr && !job_->cancellation.wait_until(platform(), now);
  }
  ParkSpot& spot() { return job_ != nullptr ? job_->cancellation.spot() : own_spot_; }

 private:
  Job* job_ = nullptr;
  ParkSpot own_spot_;
};

// A thread that waits, on its own stack.
struct PoolWaiter {
  explicit PoolWaiter(PoolCaller& caller)
      : spot(caller.spot()), threads(caller.platform().threads) {}

  enum class Woken : uint8_t { kGranted, kTime, kCancelled };
  Woken wait(const PoolCaller& caller, TimePoint until) const;

  PoolWaiter* next = nullptr;
  std::atomic<uint32_t> state{kWaitingInLine};
  ParkSpot& spot;
  Threads& threads;
  PoolCore::Grant grant{};
  bool looks = false;  // it is granted nothing, but must look again
};

using PoolLine = BasicWaitingLine<PoolWaiter, Mutex>;

inline PoolWaiter::Woken PoolWaiter::wait(const PoolCaller& caller, TimePoint until) const {
  while (!PoolLine::is_granted(*this)) {
    const TimePoint now = caller.now();
    if (caller.is_cancelled(now)) return Woken::kCancelled;
    if (now >= until) return Woken::kTime;
    threads.park(spot, std::min(until, caller.deadline()));
  }
  return Woken::kGranted;
}

// Those that were popped under the mutex, and are called without it. Takes no memory: they hang on
// each other.
class PoolCalled {
 public:
  void add(PoolWaiter& waiter) {
    waiter.next = nullptr;
    *end_ = &waiter;
    end_ = &waiter.next;
  }
  // Without the mutex. The waiters may be gone when this returns.
  void call() {
    while (first_ != nullptr) {
      PoolWaiter& waiter = *first_;
      first_ = waiter.next;
      waiter.threads.unpark(waiter.spot);
      PoolLine::settle(waiter);
    }
    end_ = &first_;
  }

 private:
  PoolWaiter* first_ = nullptr;
  PoolWaiter** end_ = &first_;
};

}}}  // namespace trireme::detail
