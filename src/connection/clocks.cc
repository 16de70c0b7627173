// The four clocks of a connection - idle, a whole request in, a whole reply out, the handler - and
// the two of its ending, on one timer: it is armed for the earliest of them or earlier, and looks
// again when it fires. So the traffic of a busy connection never touches the timer wheel.
#include <algorithm>

#include "connection/io_worker.h"

namespace trireme::inline v0 {
namespace {

constexpr Duration kLookAgain = std::chrono::milliseconds(100);  // at a client that takes slowly

TimePoint after(TimePoint start, Duration time) {
  return time > Duration(0) ? time_after(start, time) : kNever;
}

// Of the request whose reply leaves next; kNever: there is none, or its reply is about to leave.
TimePoint request_deadline(const Connection& connection) {
  const std::deque<Connection::Started>* const started = connection.started();
  if (started == nullptr || started->empty() || connection.sequencer.holds_next()) return kNever;
  return connection.listening->deadline_of(started->front().read_at);
}

// Nothing is on its way, in either direction.
bool idle_clock_runs(const Connection& connection) {
  return connection.phase == Connection::Phase::kOpen && !connection.awaits_more &&
         connection.running_count == 0 && connection.sequencer.in_flight() == 0 &&
         connection.out.empty();
}

}  // namespace

void IoWorker::expire_timers_in_loop() {
  while (Timer* timer = loop_.timers().expire(loop_.asked_at()))
    on_clock_in_loop(static_cast<Connection&>(*timer));
}

TimePoint IoWorker::next_deadline_in_loop(const Connection& connection) const {
  const Limits& limits = connection.listening->options.limits;
  TimePoint deadline = connection.out.retry_at();
  if (!connection.out.empty())
    deadline = std::min(deadline, after(connection.out.last_progress(), limits.write_time_max));
  deadline = std::min(deadline, request_deadline(connection));
  if (connection.phase == Connection::Phase::kOpen && connection.awaits_more) {
    // While it is we who do not read, the client cannot be late.
    if (connection.reading_paused) return deadline;
    deadline = std::min(deadline, after(connection.request_started, limits.request_time_max));
  } else if (idle_clock_runs(connection)) {
    deadline = std::min(deadline, after(connection.last_activity, limits.idle_time_max));
  }
  return deadline;
}

void IoWorker::arm_in_loop(Connection& connection) {
  // Lingering, its timer is armed for the end of that, exactly.
  if (!connection.is_live() || connection.phase == Connection::Phase::kLingering) return;
  const TimePoint deadline = next_deadline_in_loop(connection);
  if (deadline != kNever) loop_.timers().arm_no_later(connection, deadline);
  if (idle_clock_runs(connection)) connection.idle_armed = true;
}

// Something may be due; several things may be. Input that had arrived was read before: a process
// that was stopped for a minute does not lose its clients.
void IoWorker::on_clock_in_loop(Connection& connection) {
  connection.idle_armed = false;
  if (!connection.is_live() || connection.close_pending) return;
  const TimePoint now = loop_.asked_at();
  const Limits& limits = connection.listening->options.limits;
  if (connection.phase == Connection::Phase::kLingering) {
    if (has_taken_all_in_loop(connection)) return close_in_loop(connection, connection.reason);
    return loop_.timers().arm(connection, time_after(now, kLookAgain));
  }
  if (next_deadline_in_loop(connection) > now) return arm_in_loop(connection);
  if (connection.out.retry_at() <= now) {
    connection.out.set_retry_at(kNever);
    resume_write_in_loop(connection);
  } else if (!connection.out.empty() &&
             after(connection.out.last_progress(), limits.write_time_max) <= now) {
    close_in_loop(connection, CloseReason::kWriteTimeout);
  } else if (request_deadline(connection) <= now) {
    if (!owns_writing_in_loop(connection)) {
      // A data worker writes the answer now; its job is on its way home. No mail is opened before
      // the timers are done, so to look again at once would be to look for ever.
      return loop_.timers().arm(connection, now + TimerWheel::kTick);
    }
    expire_request_in_loop(connection, connection.sequencer.next_to_leave());
  } else if (connection.phase == Connection::Phase::kOpen && connection.awaits_more) {
    close_in_loop(connection, CloseReason::kRequestTimeout);
  } else {
    finish_connection_in_loop(connection, CloseReason::kIdleTimeout);
  }
  arm_in_loop(connection);
}

}  // namespace trireme
