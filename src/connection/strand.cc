#include "connection/strand.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "connection/ending.h"
#include "connection/slots.h"
#include "runtime/memory/scarce.h"

namespace trireme { inline namespace v0 {
namespace {

// Throws where the system has no memory.
SessionEvents& events_of(Connection& connection) {
  std::unique_ptr<SessionEvents>& events = connection.make_rare().events;
  if (events == nullptr) events = std::make_unique<SessionEvents>(connection);
  return *events;
}

}  // namespace

SlotRecord& Strand::record(const Connection& connection) const {
  return parts_.context.roster.record(parts_.loop.index(), connection.id.slot());
}

void Strand::open(std::unique_ptr<ConnectionMail> mail) {
  parts_.loop.assume_held();
  Connection* const connection = parts_.slots.find(mail->id);
  if (mail->kind == kMailTimer) {
    const auto& timer = static_cast<const TimerMail&>(*mail);
    if (connection != nullptr) return set_timer(*connection, timer);
    if (timer.due != kNever) parts_.context.roster.record(mail->id)->timers.give_back();
    return;
  }
  if (mail->kind == kMailRoom) {
    if (connection != nullptr)
      return want_room(*connection, static_cast<const RoomMail&>(*mail).of_budget);
    return parts_.context.roster.record(mail->id)->asked_room.store(false,
                                                                    std::memory_order_relaxed);
  }
  std::unique_ptr<CallMail> call(static_cast<CallMail*>(mail.release()));
  if (connection != nullptr) return add_call(*connection, std::move(call));
  parts_.context.roster.record(call->id)->calls.give_back();
}

void Strand::set_timer(Connection& connection, const TimerMail& mail) {
  if (mail.due == kNever) {
    SessionEvents* const events = connection.events();
    if (events == nullptr || !events->timers.cancel(mail.tag)) return;
    record(connection).timers.give_back();
    arm(*events);
    return forget_if_empty(connection);
  }
  bool moved = false;
  const bool is_set =
      with_memory([&] { moved = events_of(connection).timers.set(mail.tag, mail.due); });
  if (moved || !is_set) record(connection).timers.give_back();
  if (!is_set) return parts_.ending.close(connection, CloseReason::kOutOfMemory);
  arm(*connection.events());
}

void Strand::add_call(Connection& connection, std::unique_ptr<CallMail> mail) {
  const bool has_events = with_memory([&] { events_of(connection); });
  if (!has_events) {
    record(connection).calls.give_back();
    return parts_.ending.close(connection, CloseReason::kOutOfMemory);
  }
  connection.events()->add(std::move(mail));
  parts_.turn.schedule(connection);
}

void Strand::want_room(Connection& connection, bool of_budget) {
  if (!with_memory([&] { events_of(connection); }))
    return parts_.ending.close(connection, CloseReason::kOutOfMemory);
  SessionEvents& events = *connection.events();
  events.wants_room = true;
  if (of_budget) look_again_later(events);
  parts_.turn.schedule(connection);
}

// Nobody tells when the byte budget has room, and there may be room at once for all but the push
// that was refused: on_writable, which would send it again, must not spin.
void Strand::look_again_later(SessionEvents& events) {
  events.look_again_at = time_after(parts_.loop.now(), kRetryMemory);
  arm(events);
}

// Somebody waits for room, and there is some. Bytes that leave are an event of this connection; if
// it is the byte budget that is used up, only looking tells.
bool Strand::finds_room(Connection& connection) {
  SessionEvents& events = *connection.events();
  if (!events.wants_room || events.look_again_at != kNever) return false;
  const Limits& limits = connection.listening->options.limits;
  const size_t unsent = connection.unsent();
  const uint64_t transit = record(connection).transit_bytes.load(std::memory_order_relaxed);
  if (unsent > limits.write_bytes_low || unsent + transit > limits.write_bytes_high) return false;
  const OpenStreams* const streams = connection.streams();
  if (streams != nullptr && streams->keep_waiting(limits.write_bytes_low)) return false;
  if (!parts_.context.buffers.nearly_full()) return true;
  look_again_later(events);
  return false;
}

// For the first of its timers. What is due already is found when the connection is at hand.
void Strand::arm(SessionEvents& events) {
  const TimePoint next = std::min(events.timers.next(), events.look_again_at);
  if (next == kNever) return parts_.loop.timers().cancel(events);
  parts_.loop.timers().arm(events, next);
}

void Strand::on_timer(SessionEvents& events) { parts_.turn.schedule(events.connection); }

bool Strand::may_run(const Connection& connection) const {
  const Life& life = connection.life;
  if (!life.is_live() || life.is_closing() || !life.is_session_open()) return false;
  if (!life.is_open() && connection.sequencer.in_flight() == 0) return false;
  if (life.is_callback_out() || connection.events()->is_out) return false;
  if (life.is_drain_callback_due() || life.is_end_callback_due()) return false;  // first
  return connection.running_count == 0 || connection.listening->overlaps();
}

Job* Strand::make(Connection& connection) {
  parts_.loop.assume_held();
  SessionEvents& events = *connection.events();
  if (!may_run(connection)) return nullptr;
  if (events.look_again_at <= parts_.loop.now()) {
    events.look_again_at = kNever;
    arm(events);  // one timer serves this time and those of the session
  }
  const bool is_due = events.is_due(parts_.loop.now());
  const bool has_room = !(events.room_had_turn && is_due) && finds_room(connection);
  if (!has_room && !is_due) return nullptr;
  if (!parts_.turn.count_frame()) return nullptr;
  Job* const job = parts_.dispatcher.make(connection, JobKind::kCall);
  if (job == nullptr) {
    parts_.ending.close(connection, CloseReason::kOutOfMemory);
    return nullptr;
  }
  if (!charge(*job)) {
    parts_.dispatcher.unmake(*job);
    connection.life.note_callback_out(false);
    look_again_later(events);
    return nullptr;
  }
  std::optional<uint64_t> tag;
  if (!has_room) tag = events.timers.take_due(parts_.loop.now());
  const bool has_part = !has_room && !tag && events.has_part();
  job->run.kind = has_room   ? JobKind::kWritable
                  : tag      ? JobKind::kTimer
                  : has_part ? JobKind::kBody
                             : JobKind::kCall;
  events.had_turn = true;
  events.room_had_turn = has_room;
  if (tag) {
    job->event.tag = *tag;
    record(connection).timers.give_back();
    arm(events);
  } else if (has_part) {
    take_part(connection, *job);
  } else if (has_room) {
    events.wants_room = false;
    if (connection.streams() != nullptr) connection.streams()->note_called();
    record(connection).asked_room.store(false, std::memory_order_relaxed);
  } else {
    job->event.call = events.take_call();
    record(connection).calls.give_back();
  }
  if (connection.listening->overlaps()) {
    connection.life.note_callback_out(false);  // requests may run beside it
    events.is_out = true;
  }
  return job;
}

// False: there is no room for one more that may wait for a data worker.
bool Strand::charge(Job& job) {
  Buffers& buffers = parts_.context.buffers;
  if (buffers.charge(sizeof(Job))) {
    job.home.charge = Charge(buffers, sizeof(Job));
    return true;
  }
  return !std::exchange(has_uncharged_, true);
}

// Until now it was we who did not read on, perhaps.
void Strand::take_part(Connection& connection, Job& job) {
  SessionEvents& events = *connection.events();
  job.event.part = events.body->take();
  if (job.event.part.ends || job.event.part.failure != BodyFailure::kNone) events.body.reset();
  if (connection.codec_state() != nullptr)
    connection.codec_state()->measure_body(parts_.loop.now());
}

void Strand::relay(Connection& connection, std::shared_ptr<BodyRelay> body) {
  events_of(connection).body = std::move(body);
}

void Strand::forget_body(Connection& connection, const IncomingBody& body) {
  if (connection.events() == nullptr || connection.events()->body.get() != &body) return;
  connection.events()->body.reset();
  forget_if_empty(connection);
}

void Strand::finish(Connection& connection, Job& job) {
  if (!job.home.charge) has_uncharged_ = false;
  SessionEvents* const events = connection.events();
  if (events == nullptr) return;
  events->is_out = false;
  forget_if_empty(connection);
}

// Calls stay until on_close: what they own ends where handlers run.
void Strand::stop(Connection& connection) {
  parts_.loop.assume_held();
  SessionEvents* const events = connection.events();
  if (events == nullptr) return;
  parts_.loop.timers().cancel(*events);
  record(connection).timers.give_back(static_cast<uint8_t>(events->timers.count()));
  record(connection).calls.give_back(static_cast<uint16_t>(events->calls_count()));
  events->timers.clear();
  events->wants_room = false;
  events->body.reset();
  forget_if_empty(connection);
}

// A connection without events is as fast as one that never had any.
void Strand::forget_if_empty(Connection& connection) {
  if (connection.events() == nullptr || !connection.events()->is_empty()) return;
  parts_.loop.assume_held();
  parts_.loop.timers().cancel(*connection.events());
  connection.rare->events.reset();
  connection.drop_empty_rare();
}

}}  // namespace trireme
