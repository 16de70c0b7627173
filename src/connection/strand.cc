#include "connection/strand.h"

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

// For the first of its timers. What is due already is found when the connection is at hand.
void Strand::arm(SessionEvents& events) {
  const TimePoint next = events.timers.next();
  if (next == kNever) return parts_.loop.timers().cancel(events);
  parts_.loop.timers().arm(events, next);
}

void Strand::on_timer(SessionEvents& events) { parts_.turn.schedule(events.connection); }

bool Strand::may_run(const Connection& connection) const {
  const Life& life = connection.life;
  if (!life.is_live() || life.is_closing() || !life.is_session_open()) return false;
  if (!life.is_open() && connection.sequencer.in_flight() == 0) return false;
  if (connection.callback_out || connection.events()->is_out || life.is_drain_callback_due())
    return false;
  return connection.running_count == 0 || connection.listening->overlaps();
}

bool Strand::is_due(const Connection& connection) const {
  parts_.loop.assume_held();
  return connection.events() != nullptr && connection.events()->is_due(parts_.loop.now()) &&
         may_run(connection);
}

Job* Strand::make(Connection& connection) {
  parts_.loop.assume_held();
  SessionEvents& events = *connection.events();
  if (!is_due(connection) || !parts_.turn.count_frame()) return nullptr;
  const std::optional<uint64_t> tag = events.timers.take_due(parts_.loop.now());
  Job* const job = parts_.dispatcher.make(connection, tag ? JobKind::kTimer : JobKind::kCall);
  if (job == nullptr) {
    if (tag) record(connection).timers.give_back();
    parts_.ending.close(connection, CloseReason::kOutOfMemory);
    return nullptr;
  }
  events.had_turn = true;
  if (tag) {
    job->event.tag = *tag;
    record(connection).timers.give_back();
    arm(events);
  } else {
    job->event.call = events.take_call();
    record(connection).calls.give_back();
  }
  if (connection.listening->overlaps()) {
    connection.callback_out = false;  // requests may run beside it
    events.is_out = true;
  }
  return job;
}

void Strand::finish(Connection& connection) {
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
  forget_if_empty(connection);
}

// A connection without events is as fast as one that never had any.
void Strand::forget_if_empty(Connection& connection) {
  if (connection.events() == nullptr || !connection.events()->is_empty()) return;
  parts_.loop.assume_held();
  parts_.loop.timers().cancel(*connection.events());
  connection.rare->events.reset();
  if (connection.rare->is_empty()) connection.rare.reset();
}

}}  // namespace trireme
