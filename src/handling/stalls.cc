// What kept a loop from its clients, said in the log: at most so many lines a minute. A job that
// has lost its loop has kept it from nobody, and is what adaptive dispatch is for: a line for who
// looks for it (debug), and none of those that others wait for.
#include <string>
#include <utility>

#include "handling/crew.h"

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

// A job or loop code that keeps its loop, at each tick after the first.
void Crew::see_stall(HeldLoop& held, Sight& sight, TimePoint now) {
  const bool lent = LoopWord::state(sight.word) == LoopWord::kLent;
  const Duration lasted = now - sight.since;
  const Duration time = context_.options.stall_time;
  if (!lent) {
    held.code_since_ns.store(sight.since.time_since_epoch().count(), std::memory_order_relaxed);
    held.code_turn.store(sight.turn, std::memory_order_relaxed);
  }
  // A turn of a loop under load may take some ticks.
  if (!sight.counted && (lent || (time > Duration(0) && lasted >= time))) {
    sight.counted = true;
    context_.books(held.loop().index()).stalls.add();
  }
  if (sight.reported || time <= Duration(0) || lasted < time) return;
  sight.reported = true;
  const uint64_t thread = held.holder_thread.load(std::memory_order_relaxed);
  const Duration cpu = platform_.threads.cpu_time(thread) - sight.cpu;
  const auto& service = lent ? held.lent_service : held.code_service;
  const auto& id = lent ? held.lent_id : held.code_id;
  report({.what = lent ? Stall::What::kHandler : Stall::What::kLoopCode,
          .loop = held.loop().index(),
          .service = service.load(std::memory_order_relaxed),
          .kind = held.lent_kind.load(std::memory_order_relaxed),
          .id = ConnectionId{id.load(std::memory_order_relaxed)},
          .thread = thread,
          .since = sight.since,
          .computes = cpu * 2 >= lasted},
         now);
}

void Crew::report_moved(TimePoint now) {
  std::optional<Stall> moved;
  {
    MutexLock lock(mutex_);
    moved = std::exchange(moved_, std::nullopt);
    moved_waits_.store(false, std::memory_order_relaxed);
  }
  if (moved) report(*moved, now);
}

// One more line of its sort in this minute?
bool Crew::may_report(ReportsLeft& reports, TimePoint now, uint64_t& suppressed) {
  MutexLock lock(mutex_);
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

void Crew::report(const Stall& stall, TimePoint now) {
  const bool moved = stall.what == Stall::What::kMoved;
  uint64_t suppressed = 0;
  if (!may_report(moved ? moves_left_ : stalls_left_, now, suppressed)) return;
  stall_reports_.add();
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
