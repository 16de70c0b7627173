// The clocks of a connection - the first byte, idle, a whole request in, a whole reply out, the
// handler - and the two of its ending, on one timer: it is armed for the earliest of them or
// earlier, and looks again when it fires. So the traffic of a busy connection never touches the
// timer wheel.
//
// A clock that runs out accuses; it does not judge. The process may have been stopped, the loop
// busy with others, the last wait unable to tell of all. So:
// 1. The client's own socket is asked before it is closed. What waits there, or on its way from
//    there to a request, has come in time: it is heard first.
// 2. Where a client could put off its end for ever by sending on, only what had arrived when the
//    clock ran out is heard.
// 3. A clock stands still while it is we who do not read, or do not decode.
// 4. `last_activity` is the begin of a turn, which may be long. The kernel knows better.
#include <algorithm>

#include "connection/io_worker.h"

namespace trireme { inline namespace v0 {
namespace {

// At a client that takes slowly, or has not been heard yet.
constexpr Duration kLookAgain = std::chrono::milliseconds(100);

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

// For how long it may be so, and what it is then closed for.
struct Silence {
  Duration time_max;
  CloseReason reason;
};

Silence silence_of(const Connection& connection) {
  const Limits& limits = connection.listening->options.limits;
  const bool first = connection.silent && (limits.idle_time_max <= Duration(0) ||
                                           limits.first_byte_time_max < limits.idle_time_max);
  if (first) return {limits.first_byte_time_max, CloseReason::kSilentTimeout};
  return {limits.idle_time_max, CloseReason::kIdleTimeout};
}

}  // namespace

void IoWorker::expire_timers_in_loop() {
  while (Timer* timer = loop_.timers().expire(loop_.now()))
    on_clock_in_loop(static_cast<Connection&>(*timer));
}

TimePoint IoWorker::next_deadline_in_loop(const Connection& connection) const {
  const Limits& limits = connection.listening->options.limits;
  TimePoint deadline = connection.out.retry_at();
  if (!connection.out.empty())
    deadline = std::min(deadline, after(connection.out.last_progress(), limits.write_time_max));
  deadline = std::min(deadline, request_deadline(connection));
  if (connection.phase == Connection::Phase::kOpen && connection.awaits_more) {
    // While it is we who do not read, or do not decode what we have read, the client cannot be
    // late.
    if (connection.reading_paused || !may_start_in_loop(connection)) return deadline;
    deadline = std::min(deadline, after(connection.request_started, limits.request_time_max));
  } else if (idle_clock_runs(connection)) {
    const Duration time_max = silence_of(connection).time_max;
    deadline = std::min(deadline, after(connection.last_activity, time_max));
  }
  return deadline;
}

void IoWorker::arm_in_loop(Connection& connection) {
  // Lingering, its timer is armed for the end of that, exactly.
  if (!connection.is_live() || connection.phase == Connection::Phase::kLingering) return;
  const TimePoint deadline = next_deadline_in_loop(connection);
  if (deadline != kNever) loop_.timers().arm_no_later(connection, deadline);
  if (idle_clock_runs(connection)) connection.idle_armed = !connection.silent;
}

// The first byte has come, or goes. Its batch arms the timer anew: for later, so that a server of
// idle connections is not woken for nothing.
void IoWorker::end_silence_in_loop(Connection& connection) {
  connection.silent = false;
  loop_.timers().cancel(connection);
}

void IoWorker::start_request_clock_in_loop(Connection& connection) {
  connection.request_started = context_.platform.clock.now();
  connection.late = false;
  connection.counted_bytes = 0;
}

// Something may be due; several things may be.
void IoWorker::on_clock_in_loop(Connection& connection) {
  connection.idle_armed = false;
  if (connection.phase == Connection::Phase::kClosed && !connection.close_done) {
    return turn_.schedule(connection);  // there was no memory for its on_close
  }
  if (!connection.is_live() || connection.close_pending) return;
  const TimePoint now = loop_.now();
  const Limits& limits = connection.listening->options.limits;
  if (connection.phase == Connection::Phase::kLingering) return judge_lingering_in_loop(connection);
  if (next_deadline_in_loop(connection) > now) return arm_in_loop(connection);
  if (connection.out.retry_at() <= now) {
    connection.out.set_retry_at(kNever);
    resume_write_in_loop(connection);
  } else if (!connection.out.empty() &&
             after(connection.out.last_progress(), limits.write_time_max) <= now) {
    return judge_writing_in_loop(connection);
  } else if (request_deadline(connection) <= now) {
    if (!owns_writing_in_loop(connection)) {
      // A data worker writes the answer now; its job is on its way home. No mail is opened before
      // the timers are done, so to look again at once would be to look for ever.
      return loop_.timers().arm(connection, now + TimerWheel::kTick);
    }
    expire_request_in_loop(connection, connection.sequencer.next_to_leave());
  } else if (connection.phase == Connection::Phase::kOpen && connection.awaits_more) {
    return judge_request_in_loop(connection);
  } else {
    return judge_idle_in_loop(connection);
  }
  arm_in_loop(connection);
}

// Closing with unread input would reset the connection.
void IoWorker::judge_lingering_in_loop(Connection& connection) {
  if (!has_taken_all_in_loop(connection)) return look_again_in_loop(connection);
  if (!input_waits_in_loop(connection)) return close_in_loop(connection, connection.reason);
  connection.late = true;
  look_again_in_loop(connection);
}

// The socket may take bytes although nobody has said so: to ask is to send.
void IoWorker::judge_writing_in_loop(Connection& connection) {
  const size_t unsent = connection.out.bytes();
  resume_write_in_loop(connection);
  if (!connection.is_live()) return;
  if (connection.out.bytes() < unsent) return arm_in_loop(connection);
  if (loop_.driver().waiting(connection).room) return look_again_in_loop(connection);
  close_in_loop(connection, CloseReason::kWriteTimeout);
}

void IoWorker::judge_request_in_loop(Connection& connection) {
  if (!connection.late && input_waits_in_loop(connection)) {
    connection.late = true;
    const size_t bytes = std::max<size_t>(loop_.driver().bytes_readable(connection), 1);
    connection.counted_bytes = static_cast<uint32_t>(std::min<size_t>(bytes, UINT32_MAX));
  }
  if (connection.late && connection.counted_bytes > 0) return look_again_in_loop(connection);
  close_in_loop(connection, CloseReason::kRequestTimeout);
}

void IoWorker::judge_idle_in_loop(Connection& connection) {
  const Silence silence = silence_of(connection);
  const Duration quiet = loop_.driver().quiet_time(connection);
  if (quiet < silence.time_max) {
    connection.last_activity = context_.platform.clock.now() - quiet;
    return arm_in_loop(connection);
  }
  if (connection.in_run_list || input_waits_in_loop(connection))
    return look_again_in_loop(connection);
  finish_connection_in_loop(connection, silence.reason);
}

bool IoWorker::input_waits_in_loop(Connection& connection) {
  return !connection.input_ended && loop_.driver().waiting(connection).input;
}

void IoWorker::look_again_in_loop(Connection& connection) {
  loop_.timers().arm(connection, time_after(loop_.now(), kLookAgain));
}

}}  // namespace trireme
