// Whether anybody still waits for the replies of a job.
//
// Step 4. Threads: the holder of the loop cancels; the thread that runs the job asks, and may wait,
// in one wait at a time; any thread that its handler shares the request with may open its stop
// token.
//
// 1. What handlers ask is a hint, relaxed. The first reason stays.
// 2. A handler that waits is woken through its spot, or, if it waits for a descriptor, through an
//    eventfd that stands beside that one. Who signals that holds it meanwhile (kSignalled), so that
//    it is not closed under him.
// 3. A stop token is made when it is first asked for. Reason and token are each stored, then the
//    other one is looked at (seq_cst on both sides): so either the loop finds the token, and has a
//    job fire it, or who makes the token finds the reason, and fires it himself. Nobody else needs
//    a loop for it: a thread whose wait has found the deadline over fires, too.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>

#include "runtime/system/clock.h"
#include "runtime/threads/threads.h"
#include "trireme/blocking.h"
#include "trireme/detail/stop.h"
#include "trireme/request.h"

namespace trireme { inline namespace v0 {

class CancelSignal {
 public:
  CancelSignal() = default;
  ~CancelSignal() { drop_stop(); }
  CancelSignal(const CancelSignal&) = delete;
  CancelSignal& operator=(const CancelSignal&) = delete;

  // The holder, before the job is handed over or lent.
  void reset() {
    deadline_ = kNever;
    reason_.store(0, std::memory_order_relaxed);
    view_ = nullptr;
    runs_no_more_.store(false, std::memory_order_relaxed);
    if (stop_.load(std::memory_order_relaxed) != nullptr) drop_stop();
  }
  // The same. The deadline of the request, which is the only one of its job then.
  void set_deadline(TimePoint deadline) { deadline_ = deadline; }
  // Any thread that has the job, and the holder. Tells a running handler that its answer is not
  // wanted any more; the first reason stays. A stop token is not fired.
  void cancel(CancelReason reason, const Platform& platform);
  // The holder, behind cancel(). What fires the token of the handler; null: there is none, or it
  // was taken.
  std::unique_ptr<detail::Stop> take_twin();
  // The holder that finishes the job. Its token; null: there is none.
  std::unique_ptr<detail::Stop> take_stop() {
    return std::unique_ptr<detail::Stop>(stop_.exchange(nullptr, std::memory_order_relaxed));
  }
  bool has_stop() const { return stop_.load(std::memory_order_relaxed) != nullptr; }
  // The holder. The connection ends: no further request of the job starts.
  void run_no_more() { runs_no_more_.store(true, std::memory_order_relaxed); }

  // The thread that has the job, from here on.
  bool runs_no_more() const { return runs_no_more_.load(std::memory_order_relaxed); }
  bool has_expired(TimePoint now) const { return deadline_ <= now; }
  TimePoint deadline() const { return deadline_; }
  // Its handler was told that the deadline has passed, so the client is, too.
  bool missed_deadline() const {
    return reason_.load(std::memory_order_relaxed) == static_cast<uint8_t>(CancelReason::kDeadline);
  }
  // A handler, through trireme::wait_for(). False: it was cancelled before `until`, or the deadline
  // has passed: that is seen here, too, for the loop may not turn.
  bool wait_until(const Platform& platform, TimePoint until);
  // The same, through wait_readable() and wait_writable(): for `events` of poll(2).
  WaitResult wait_ready(const Platform& platform, int fd, short events, TimePoint until);
  const std::atomic<uint8_t>& reason() const { return reason_; }  // CancelReason; 0: none
  // What the decoder has made of the request; null: nothing.
  const RequestView* view() const { return view_; }
  // The holder, before the job is handed over or lent.
  void set_view(const RequestView* view) { view_ = view; }
  // For a handler that waits for something else as well: cancel() unparks this spot, and so does
  // who brings what is waited for.
  ParkSpot& spot() { return spot_; }

  // Any thread that has the request: detail::open_stop.
  detail::Stop& open_stop(std::unique_ptr<detail::Stop> (*make)(), bool& cancelled);

 private:
  static constexpr int kNoWait = -1;
  static constexpr int kSignalled = -2;  // somebody is about to

  bool is_cancelled() const { return reason_.load(std::memory_order_seq_cst) != 0; }
  void miss_deadline(const Platform& platform);
  void wake_at_descriptor(const Platform& platform);
  void retract(int wake_fd, const Platform& platform);
  WaitResult wait_beside(const Platform& platform, int wake_fd, int fd, short events,
                         TimePoint until);
  void drop_stop();

  TimePoint deadline_ = kNever;
  std::atomic<uint8_t> reason_{0};
  const RequestView* view_ = nullptr;
  std::atomic<bool> runs_no_more_{false};
  std::atomic<int> wake_fd_{kNoWait};         // of a handler in wait_ready
  ParkSpot spot_;                             // of a handler in wait_until, or that waits in a pool
  std::atomic<detail::Stop*> stop_{nullptr};  // owned
};

}}  // namespace trireme
