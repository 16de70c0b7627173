#include "connection/clocks.h"

#include <algorithm>

#include "connection/bodies.h"
#include "connection/ending.h"
#include "connection/receiver.h"
#include "connection/replies.h"
#include "connection/sender.h"
#include "connection/turn.h"

namespace trireme { inline namespace v0 {
namespace {

// At a client that takes slowly, or has not been heard yet.
constexpr Duration kLookAgain = std::chrono::milliseconds(100);

TimePoint after(TimePoint start, Duration time) {
  return time > Duration(0) ? time_after(start, time) : kNever;
}

// Of the request that was read first, of those whose replies are due; kNever: there is none, or its
// reply is about to leave.
TimePoint request_deadline(const Connection& connection) {
  const OpenRequests* const noted = connection.open_requests();
  if (noted == nullptr || noted->empty() || !connection.listening->has_deadline() ||
      connection.sequencer.holds_next()) {
    return kNever;
  }
  return connection.listening->deadline_of(noted->oldest_read_at());
}

// Nothing is on its way, in either direction.
bool idle_clock_runs(const Connection& connection) {
  return connection.life.is_open() && !connection.reading.awaits_more &&
         connection.running_count == 0 && connection.sequencer.in_flight() == 0 &&
         !connection.has_unsent();
}

// Of the body that is on its way, if its rate is measured; kNever: there is none, or it is we who
// do not read it.
bool has_body_clock(const Connection& connection) {
  const CodecState* const state = connection.codec_state();
  const Limits& limits = connection.listening->options.limits;
  return state != nullptr && state->has_body() && connection.life.is_open() &&
         limits.stream_rate_min > 0 && limits.stream_rate_time > Duration(0);
}

TimePoint body_deadline(const Connection& connection) {
  if (!has_body_clock(connection) || connection.reading.paused || Bodies::awaits_room(connection)) {
    return kNever;
  }
  return time_after(connection.codec_state()->incoming.window_begin,
                    connection.listening->options.limits.stream_rate_time);
}

// Of the layers that are not through; kNever: there are none, or they have no deadline.
TimePoint handshake_deadline(const Connection& connection) {
  if (!connection.life.is_open() || !connection.is_shaking()) return kNever;
  return connection.rare->layers->deadline();
}

// For how long it may be so, and what it is then closed for.
struct Silence {
  Duration time_max;
  CloseReason reason;
};

Silence silence_of(const Connection& connection) {
  const Limits& limits = connection.listening->options.limits;
  const bool first =
      connection.clocks.silent && limits.first_byte_time_max > Duration(0) &&
      (limits.idle_time_max <= Duration(0) || limits.first_byte_time_max < limits.idle_time_max);
  if (first) return {limits.first_byte_time_max, CloseReason::kSilentTimeout};
  return {limits.idle_time_max, CloseReason::kIdleTimeout};
}

}  // namespace

TimePoint Clocks::next_deadline(const Connection& connection) const {
  const Limits& limits = connection.listening->options.limits;
  TimePoint deadline = connection.out.retry_at();
  if (!connection.out.empty())
    deadline = std::min(deadline, after(connection.out.last_progress(), limits.write_time_max));
  deadline = std::min(deadline, request_deadline(connection));
  if (const TimePoint shaken = handshake_deadline(connection); shaken != kNever)
    return std::min(deadline, shaken);
  if (has_body_clock(connection)) return std::min(deadline, body_deadline(connection));
  if (connection.life.is_open() && connection.reading.awaits_more) {
    // While it is we who do not read, or do not decode what we have read, the client cannot be
    // late.
    if (connection.reading.paused || !receiver_.may_start(connection)) return deadline;
    deadline = std::min(deadline, after(connection.times.request_started, limits.request_time_max));
  } else if (idle_clock_runs(connection)) {
    const Duration time_max = silence_of(connection).time_max;
    deadline = std::min(deadline, after(connection.times.last_activity, time_max));
  }
  return deadline;
}

void Clocks::arm(Connection& connection) {
  loop_.assume_held();
  // Lingering, its timer is armed for the end of that, exactly.
  if (!connection.is_live() || connection.life.is_lingering()) return;
  const TimePoint deadline = next_deadline(connection);
  if (deadline != kNever) loop_.timers().arm_no_later(connection, deadline);
  if (idle_clock_runs(connection)) connection.clocks.idle_armed = !connection.clocks.silent;
}

void Clocks::end_silence(Connection& connection) {
  loop_.assume_held();
  connection.clocks.silent = false;
  loop_.timers().cancel(connection);
}

void Clocks::start_request(Connection& connection) {
  connection.times.request_started = context_.platform.clock.now();
  connection.clocks.late = false;
}

void Clocks::start_body(Connection& connection) {
  connection.codec_state()->measure_body(context_.platform.clock.now());
  connection.clocks.late = false;
}

void Clocks::end_handshake(Connection& connection) {
  loop_.assume_held();
  connection.clocks.late = false;
  connection.make_rare().late_bytes_left = 0;
  connection.times.last_activity = loop_.now();
  connection.clocks.silent = connection.listening->options.limits.first_byte_time_max > Duration(0);
  loop_.timers().cancel(connection);
}

void Clocks::start_lingering(Connection& connection) {
  loop_.assume_held();
  loop_.timers().arm(connection,
                     time_after(connection.times.last_activity, context_.options.linger_time_max));
}

// Something may be due; several things may be.
void Clocks::on_timer(Connection& connection) {
  loop_.assume_held();
  connection.clocks.idle_armed = false;
  if (connection.has_stops_due()) turn_.schedule(connection);  // there was no memory to fire them
  if (connection.life.is_closed() && !connection.life.is_session_done()) {
    return turn_.schedule(connection);  // there was no memory for its on_close
  }
  if (!connection.is_live() || connection.life.is_closing()) return;
  const TimePoint now = loop_.now();
  const Limits& limits = connection.listening->options.limits;
  if (connection.life.is_lingering()) return judge_lingering(connection);
  if (next_deadline(connection) > now) return arm(connection);
  if (connection.out.retry_at() <= now) {
    connection.out.set_retry_at(kNever);
    sender_.resume(connection);
  } else if (!connection.out.empty() &&
             after(connection.out.last_progress(), limits.write_time_max) <= now) {
    return judge_writing(connection);
  } else if (request_deadline(connection) <= now) {
    if (!sender_.owns_writing(connection)) {
      // A data worker writes the answer now; its job is on its way home. No mail is opened before
      // the timers are done, so to look again at once would be to look for ever.
      return loop_.timers().arm(connection, now + TimerWheel::kTick);
    }
    replies_.expire(connection, connection.open_requests()->oldest());
  } else if (handshake_deadline(connection) <= now) {
    return judge_arrived(connection, CloseReason::kHandshakeTimeout);
  } else if (body_deadline(connection) <= now) {
    return judge_body(connection);
  } else if (connection.life.is_open() && connection.reading.awaits_more) {
    return judge_arrived(connection, CloseReason::kRequestTimeout);
  } else {
    return judge_idle(connection);
  }
  arm(connection);
}

// Closing with unread input would reset the connection.
void Clocks::judge_lingering(Connection& connection) {
  if (!ending_.has_taken_all(connection)) return look_again(connection);
  if (!input_waits(connection)) return ending_.close(connection, connection.life.reason());
  connection.clocks.late = true;
  look_again(connection);
}

// The socket may take bytes although nobody has said so: to ask is to send.
void Clocks::judge_writing(Connection& connection) {
  const size_t unsent = connection.out.bytes();
  sender_.resume(connection);
  if (!connection.is_live()) return;
  if (connection.out.bytes() < unsent) return arm(connection);
  if (loop_.driver().waiting(connection).room) return look_again(connection);
  ending_.close(connection, CloseReason::kWriteTimeout);
}

// What has arrived in time is heard first.
void Clocks::judge_arrived(Connection& connection, CloseReason reason) {
  if (!connection.clocks.late && input_waits(connection)) {
    connection.clocks.late = true;
    connection.make_rare().late_bytes_left =
        std::max<size_t>(loop_.driver().bytes_readable(connection), 1);
  }
  if (connection.clocks.late && connection.make_rare().late_bytes_left > 0) {
    return look_again(connection);
  }
  if (reason == CloseReason::kSlowStream) {
    CodecState& state = *connection.codec_state();
    const bool has_started = state.incoming.gathered_for == nullptr;
    state.fail_body(BodyFailure::kTooSlow);
    if (has_started) return ending_.finish(connection, reason);  // its handler may still answer
    reason = CloseReason::kRequestTimeout;
  }
  if (reason == CloseReason::kRequestTimeout && ending_.has_words(connection, reason)) {
    return ending_.finish(connection, reason);
  }
  ending_.close(connection, reason);
}

// A window of its rate is over.
void Clocks::judge_body(Connection& connection) {
  CodecState& state = *connection.codec_state();
  const Limits& limits = connection.listening->options.limits;
  const double seconds = std::chrono::duration<double>(limits.stream_rate_time).count();
  const double least = static_cast<double>(limits.stream_rate_min) * seconds;
  if (static_cast<double>(state.incoming.window_bytes) >= least) {
    start_body(connection);
    return arm(connection);
  }
  judge_arrived(connection, CloseReason::kSlowStream);
}

void Clocks::judge_idle(Connection& connection) {
  const Silence silence = silence_of(connection);
  // The kernel does not tell a push from a reply.
  const bool asks = connection.listening->push_is_activity;
  const Duration quiet = asks ? loop_.driver().quiet_time(connection) : silence.time_max;
  if (quiet < silence.time_max) {
    connection.times.last_activity = context_.platform.clock.now() - quiet;
    return arm(connection);
  }
  if (Turn::is_listed(connection) || input_waits(connection)) return look_again(connection);
  ending_.finish(connection, silence.reason);
}

bool Clocks::input_waits(Connection& connection) {
  return !connection.life.peer_ended() && loop_.driver().waiting(connection).input;
}

void Clocks::look_again(Connection& connection) {
  loop_.timers().arm(connection, time_after(loop_.now(), kLookAgain));
}

}}  // namespace trireme
