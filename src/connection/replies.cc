#include "connection/replies.h"

#include <string>
#include <utility>

#include "connection/ending.h"
#include "connection/finisher.h"
#include "connection/sender.h"
#include "connection/turn.h"
#include "reply/envelope_guard.h"
#include "runtime/memory/scarce.h"
#include "runtime/thrown.h"

namespace trireme { inline namespace v0 {

bool Replies::note_started(Connection& connection, Job* job) {
  return with_memory([&] {
    Connection::Rare& rare = connection.make_rare();
    if (rare.started == nullptr) rare.started = std::make_unique<std::deque<Connection::Started>>();
    // Not the time of this turn: handlers before it may have taken long.
    const TimePoint now = context_.platform.clock.now();
    rare.started->push_back({.read_at = now, .job = job});
    if (job != nullptr) job->cancellation.set_deadline(connection.listening->deadline_of(now));
  });
}

Connection::Started* Replies::started(Connection& connection, uint64_t number) {
  std::deque<Connection::Started>* const started = connection.started();
  if (started == nullptr || !connection.is_live()) return nullptr;
  const uint64_t place = number - connection.sequencer.next_to_leave();
  return place < started->size() ? &(*started)[place] : nullptr;
}

void Replies::answer(Connection& connection, uint64_t number, Answer answer) {
  if (!connection.is_live()) return;  // counted when it closed
  if (!connection.sequencer.is_open(number)) return books_.stale_ids.add();
  // Else a data worker is writing the very answer to this request.
  if (!sender_.owns_writing(connection)) return;
  if (!connection.sequencer.is_next(number)) {
    if (!hold(connection, number, answer)) ending_.close(connection, CloseReason::kOutOfMemory);
    return;
  }
  leave_in_turn(connection, answer);
  leave_held(connection);
}

// Keeps an answer whose turn has not come. False: the budget refuses, or the system.
bool Replies::hold(Connection& connection, uint64_t number, Answer& answer) {
  const size_t bytes = answer.text().size() + Sequencer::kHeldBytes;
  if (!context_.buffers.charge(bytes)) return false;
  Charge charge(context_.buffers, bytes);
  return with_memory(
      [&] { connection.sequencer.hold(number, std::move(answer).with_copy(), std::move(charge)); });
}

void Replies::leave_held(Connection& connection) {
  Answer answer{std::string_view{}};
  for (int i = 0; i < Turn::kFramesMax; ++i) {
    if (!connection.is_live() || !connection.sequencer.take_next(answer)) return;
    leave_in_turn(connection, answer);
  }
  turn_.schedule(connection);
}

void Replies::expire(Connection& connection, uint64_t number) {
  Connection::Started* const entry = started(connection, number);
  Job* const job = entry != nullptr ? entry->job : nullptr;
  if (job != nullptr && finisher_.withdraw(*job)) return;  // it has come back here
  if (job != nullptr) job->cancellation.cancel(CancelReason::kDeadline, context_.platform.threads);
  books_.handler_deadlines.add();
  answer(connection, number, error("deadline exceeded"));
  turn_.schedule(connection);
}

void Replies::leave_in_turn(Connection& connection, Answer& answer) {
  retire(connection, 1);
  if (connection.life.is_muted()) {
    books_.replies_dropped.add();
  } else {
    leave(connection, answer);
  }
}

void Replies::leave(Connection& connection, Answer& answer) {
  const bool switches = answer.next_codec() != nullptr;
  if (switches && connection.listening->pipelined()) answer = refuse_switch(connection);
  bool closes = answer.closes();
  CloseReason reason = CloseReason::kClosedByHandler;
  if (answer.kind() == Answer::Kind::kNone) {
    books_.unanswered.add();
  } else if (answer.kind() == Answer::Kind::kBytes) {
    if (!write(connection, answer)) return;
    books_.replies.add();
  } else {
    ErrorReply reply;
    if (!ask_error_reply(connection, answer, reply)) return;
    if (!reply.body.empty()) {
      Answer body(std::move(reply.body));
      if (!write(connection, body)) return;
    }
    books_.replies.add();
    if (reply.close || connection.life.has_given_up()) reason = CloseReason::kProtocolError;
    closes = closes || reply.close;
  }
  if (!connection.is_live()) return;
  if (answer.next_codec() != nullptr) switch_codec(connection, answer);
  if (!closes) return;
  ending_.finish(connection, reason);
  connection.life.mute();
  finisher_.withdraw_all(connection);  // nobody waits for what is behind it
}

void Replies::switch_codec(Connection& connection, const Answer& answer) {
  Connection::Rare& rare = connection.make_rare();
  rare.switched_codec = answer.next_codec();
  ++rare.codec_switches;
  connection.decoder.use(rare.switched_codec.get());
}

// Requests behind the answer may have been decoded already: there is no place for another codec.
// That a handler wants one is known only now; it costs this connection.
Answer Replies::refuse_switch(const Connection& connection) {
  loop_.assume_held();
  context_.switch_gate.write(context_.log, LogLevel::kError, loop_.now(), [&] {
    return "a handler of '" + std::string(connection.listening->name) +
           "' answers with then(codec), which needs Ordering::kSerial: its connection is closed";
  });
  return error("internal").close_after();
}

bool Replies::write(Connection& connection, Answer& answer) {
  Envelope envelope;
  if (!ask_envelope(connection, answer.text().size(), envelope)) return false;
  sender_.write_framed(connection, envelope, answer);
  return true;
}

void Replies::send_alone(Connection& connection, Answer& answer) {
  Envelope envelope;
  if (!ask_envelope(connection, answer.text().size(), envelope)) return;
  books_.replies.add();
  sender_.send(connection,
               {"", std::string_view(envelope.head.data(), envelope.head_bytes), answer.text(),
                std::string_view(envelope.tail.data(), envelope.tail_bytes)},
               &answer);
}

// False: the codec has made a mistake, and the reply is dropped.
bool Replies::ask_envelope(Connection& connection, size_t body_bytes, Envelope& into) {
  try {
    into = connection.decoder.codec()->envelope(body_bytes);
  } catch (...) {
    fail(connection, "envelope() threw: " + describe_thrown());
    return false;
  }
  if (is_within_bounds(into)) return true;
  fail(connection, "its envelope is overfilled");
  return false;
}

// Likewise, for an error or a refusal.
bool Replies::ask_error_reply(Connection& connection, const Answer& answer, ErrorReply& into) {
  const bool is_busy = answer.kind() == Answer::Kind::kBusy;
  const Codec& codec = *connection.decoder.codec();
  try {
    into = is_busy ? codec.busy_reply() : codec.error_reply(answer.text());
    return true;
  } catch (...) {
    fail(connection,
         (is_busy ? "busy_reply() threw: " : "error_reply() threw: ") + describe_thrown());
    return false;
  }
}

// The codec has no reply for an answer. No further one leaves: the client would take it for the
// answer to another request.
void Replies::fail(Connection& connection, std::string_view mistake) {
  books_.replies_dropped.add();
  ending_.fail_codec(connection, mistake);
  connection.life.mute();
  finisher_.withdraw_all(connection);
}

}}  // namespace trireme
