// What kept a loop from its clients, said in the log: at most so many lines a minute. A job that
// has lost its loop has kept it from nobody, and is what adaptive dispatch is for: a line for who
// looks for it (debug), and none of those that others wait for.
//
// Step 4. Threads: watchers, and the thread that has just taken a loop.
#pragma once

#include <atomic>
#include <cstdint>
#include <optional>

#include "roster/server_context.h"
#include "runtime/counters.h"
#include "runtime/system/clock.h"
#include "runtime/threads/mutex.h"

namespace trireme { inline namespace v0 {

// Something that kept a loop from its clients.
struct Stall {
  enum class What : uint8_t { kMoved, kHandler, kLoopCode } what;
  uint32_t loop;
  const char* service;
  uint32_t kind;  // Job::reported_kind
  ConnectionId id;
  uint64_t thread;
  TimePoint since;
  bool computes;
};

class StallReports {
 public:
  explicit StallReports(ServerContext& context) : context_(context) {}

  // A watcher. One line, if one more of its sort may come in this minute.
  void report(const Stall& stall, TimePoint now);
  // The thread that has taken a loop from a job has clients to serve: it notes that here, for the
  // next watcher that ticks to report.
  void note_moved(const Stall& moved);
  void report_moved(TimePoint now) {
    if (moved_waits_.load(std::memory_order_relaxed)) report_noted(now);
  }
  // Any thread. How many lines there were.
  uint64_t count() const { return count_.get(); }

 private:
  // How many lines of a sort may still come in this minute, and how many did not.
  struct Left {
    TimePoint minute = TimePoint::min();
    uint32_t left = 0;
    uint64_t suppressed = 0;
  };
  void report_noted(TimePoint now);
  bool may_report(bool moved, TimePoint now, uint64_t& suppressed);

  ServerContext& context_;
  Mutex mutex_;
  std::optional<Stall> moved_ GUARDED_BY(mutex_);
  std::atomic<bool> moved_waits_{false};  // a hint: relaxed
  Left stalls_left_ GUARDED_BY(mutex_);
  Left moves_left_ GUARDED_BY(mutex_);
  SharedCounter count_;
};

}}  // namespace trireme
