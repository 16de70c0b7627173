#include "handling/stall_reports.h"

#include <string>
#include <string_view>
#include <utility>

#include "handling/job.h"

namespace trireme { inline namespace v0 {
namespace {

constexpr Duration kMinute = std::chrono::minutes(1);

// Without the frames below the handler, which are always the same.
std::string_view of_user(std::string_view stack) {
  return stack.substr(0, stack.find(" < trireme::v0::Job::"));
}

std::string milliseconds(Duration time) {
  const auto tenths = time / std::chrono::microseconds(100);
  return std::to_string(tenths / 10) + "." + std::to_string(tenths % 10) + " ms";
}

}  // namespace

void StallReports::note_moved(const Stall& moved) {
  MutexLock lock(mutex_);
  moved_ = moved;
  moved_waits_.store(true, std::memory_order_relaxed);
}

void StallReports::report_noted(TimePoint now) {
  std::optional<Stall> moved;
  {
    MutexLock lock(mutex_);
    moved = std::exchange(moved_, std::nullopt);
    moved_waits_.store(false, std::memory_order_relaxed);
  }
  if (moved) report(*moved, now);
}

// One more line of its sort in this minute?
bool StallReports::may_report(bool moved, TimePoint now, uint64_t& suppressed) {
  MutexLock lock(mutex_);
  Left& reports = moved ? moves_left_ : stalls_left_;
  if (reports.minute == TimePoint::min() || now - reports.minute >= kMinute) {
    reports.minute = now;
    reports.left = context_.options.stall_reports_per_minute_max;
  }
  if (reports.left == 0) {
    ++reports.suppressed;
    return false;
  }
  --reports.left;
  suppressed = std::exchange(reports.suppressed, 0);
  return true;
}

void StallReports::report(const Stall& stall, TimePoint now) {
  const bool moved = stall.what == Stall::What::kMoved;
  uint64_t suppressed = 0;
  if (!may_report(moved, now, suppressed)) return;
  count_.add();
  // The stack first: the thread may go on at any time.
  const StackReader& reader = context_.options.stack_reader;
  const std::string stack = stall.computes || !reader ? std::string() : reader(stall.thread);
  const std::string client = context_.roster.describe(stall.id);
  const bool callback = stall.kind == Job::kCallback;
  std::string line = moved ? "hand-over: " : "stall: ";
  line += stall.what == Stall::What::kLoopCode ? "the codec"
          : callback                           ? "a callback"
                                               : "a handler";
  line += " of '" + std::string(stall.service != nullptr ? stall.service : "?") + "'";
  if (stall.what != Stall::What::kLoopCode && !callback) {
    line += ", kind " + std::to_string(stall.kind) + ",";
  }
  if (!client.empty()) line += " for " + client;
  line += stall.computes ? " computes" : " blocks";
  line +=
      " on thread " + std::to_string(stall.thread) + " since " + milliseconds(now - stall.since);
  if (moved) {
    line += "; a spare thread has taken its loop io-" + std::to_string(stall.loop);
  } else {
    line += "; all clients of its loop io-" + std::to_string(stall.loop) + " wait";
  }
  if (!stack.empty()) line += "; it waits in " + std::string(of_user(stack));
  if (suppressed > 0) line += " (" + std::to_string(suppressed) + " before were not reported)";
  context_.log.write(moved ? LogLevel::kDebug : LogLevel::kWarning, line);
}

}}  // namespace trireme
