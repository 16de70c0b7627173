// Whether anybody still waits for the replies of a job.
//
// Step 4. Threads: the holder of the loop cancels; the thread that runs the job asks, and may wait.
// All of it is relaxed: hints where handlers ask. A handler that waits is woken through its spot.
#pragma once

#include <atomic>
#include <cstdint>

#include "runtime/system/clock.h"
#include "runtime/threads/threads.h"
#include "trireme/handler.h"

namespace trireme { inline namespace v0 {

class CancelSignal {
 public:
  // The holder, before the job is handed over or lent.
  void reset() {
    deadline_ = kNever;
    state_.cancelled.store(0, std::memory_order_relaxed);
    state_.view = nullptr;
    runs_no_more_.store(false, std::memory_order_relaxed);
  }
  // The same. The deadline of the request, which is the only one of its job then.
  void set_deadline(TimePoint deadline) { deadline_ = deadline; }
  // Any thread that has the job, and the holder. Tells a running handler that its answer is not
  // wanted any more; the first reason stays.
  void cancel(CancelReason reason, Threads& threads);
  // The holder. The connection ends: no further request of the job starts.
  void run_no_more() { runs_no_more_.store(true, std::memory_order_relaxed); }

  // The thread that has the job, from here on.
  bool runs_no_more() const { return runs_no_more_.load(std::memory_order_relaxed); }
  bool has_expired(TimePoint now) const { return deadline_ <= now; }
  // Its handler was told that the deadline has passed, so the client is, too.
  bool missed_deadline() const {
    return state_.cancelled.load(std::memory_order_relaxed) ==
           static_cast<uint8_t>(CancelReason::kDeadline);
  }
  // A handler, through trireme::wait_for(). False: it was cancelled before `until`, or the deadline
  // has passed: that is seen here, too, for the loop may not turn.
  bool wait_until(Threads& threads, Clock& clock, TimePoint until);
  // For the Request.
  const detail::RequestState& state() const { return state_; }
  // The holder, before the job is handed over or lent.
  void set_view(const RequestView* view) { state_.view = view; }

 private:
  TimePoint deadline_ = kNever;
  detail::RequestState state_;
  std::atomic<bool> runs_no_more_{false};
  ParkSpot spot_;  // of a handler in wait_until
};

}}  // namespace trireme
