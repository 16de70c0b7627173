#include "connection/replies.h"

#include <string>
#include <utility>

#include "connection/cancels.h"
#include "connection/ending.h"
#include "connection/finisher.h"
#include "connection/layers.h"
#include "connection/sender.h"
#include "connection/turn.h"
#include "runtime/memory/scarce.h"

namespace trireme { inline namespace v0 {

bool Replies::note(Connection& connection, Job* job, const RequestMark& mark) {
  return with_memory([&] {
    Connection::Rare& rare = connection.make_rare();
    if (rare.open_requests == nullptr) rare.open_requests = std::make_unique<OpenRequests>();
    // Not the time of this turn: handlers before it may have taken long.
    const TimePoint now = context_.platform.clock.now();
    rare.open_requests->open(connection.sequencer.next_number(),
                             {.read_at = now, .job = job, .mark = mark});
    if (job != nullptr && connection.listening->has_deadline())
      job->cancellation.set_deadline(connection.listening->deadline_of(now));
  });
}

void Replies::answer(Connection& connection, uint64_t number, Answer answer) {
  if (!connection.is_live()) return;  // counted when it closed
  if (!is_open(connection, number)) return books_.stale_ids.add();
  if (connection.streams() != nullptr && streams_.replace(connection, number)) return;
  // Else a data worker is writing the very answer to this request.
  if (!sender_.owns_writing(connection)) return;
  if (connection.listening->is_unordered) return leave_in_turn(connection, number, answer);
  if (!connection.sequencer.is_next(number)) {
    if (!hold(connection, number, answer)) ending_.close(connection, CloseReason::kOutOfMemory);
    return;
  }
  leave_in_turn(connection, number, answer);
  leave_held(connection);
}

// Keeps an answer whose turn has not come. False: the budget refuses, or the system.
bool Replies::hold(Connection& connection, uint64_t number, Answer& answer) {
  const size_t bytes = answer.text().size() + answer.head().size() + Sequencer::kHeldBytes;
  if (!context_.buffers.charge(bytes)) return false;
  Charge charge(context_.buffers, bytes);
  return with_memory(
      [&] { connection.sequencer.hold(number, std::move(answer).with_copy(), std::move(charge)); });
}

void Replies::leave_held(Connection& connection) {
  Answer answer{std::string_view{}};
  for (int i = 0; i < Turn::kFramesMax; ++i) {
    const uint64_t number = connection.sequencer.next_to_leave();
    if (!connection.is_live()) return;
    if (connection.sequencer.take_next(answer)) {
      leave_in_turn(connection, number, answer);
    } else if (connection.streams() == nullptr || !streams_.leave(connection, number)) {
      return;
    }
  }
  turn_.schedule(connection);
}

void Replies::expire(Connection& connection, uint64_t number) {
  OpenRequests::Entry* const entry = find(connection, number);
  Job* const job = entry != nullptr ? entry->job : nullptr;
  if (job != nullptr && finisher_.withdraw(*job)) return;  // it has come back here
  if (job != nullptr) {
    cancels_.cancel(*job, CancelReason::kDeadline);
  } else {
    cancels_.cancel_kept(connection, number);
  }
  books_.handler_deadlines.add();
  answer(connection, number, detail::failed(Failure::kDeadline, "deadline exceeded"));
  turn_.schedule(connection);
}

void Replies::leave_in_turn(Connection& connection, uint64_t number, Answer& answer) {
  loop_.assume_held();
  const OpenRequests::Entry* const entry = find(connection, number);
  const RequestMark mark = entry != nullptr ? entry->mark : RequestMark();
  retire(connection, number, 1);
  cancels_.forget(connection, number);
  // What a decoder has answered by itself is the reply to no request.
  const uint64_t counted = answer.kind() == Answer::Kind::kAsIs ? 0 : 1;
  if (connection.life.is_muted()) return books_.replies_dropped.add(counted);
  connection.note_replied(loop_.now());
  if (!connection.drops_reply(number)) return leave(connection, mark, answer);
  // Our direction has ended. What the answer does besides, it does.
  books_.replies_dropped.add(counted);
  if (answer.switches() && may_switch(connection)) change(connection, answer, answer.closes());
  if (answer.closes()) end_behind(connection, CloseReason::kClosedByHandler);
}

void Replies::leave(Connection& connection, const RequestMark& mark, Answer& answer) {
  if (answer.switches() && !may_switch(connection)) answer = refuse_switch(connection);
  bool closes = answer.closes();
  CloseReason reason = CloseReason::kClosedByHandler;
  if (answer.kind() == Answer::Kind::kNone) {
    books_.unanswered.add();
  } else if (answer.kind() == Answer::Kind::kAsIs) {
    sender_.write_framed(connection, {}, answer, {});
  } else if (answer.kind() == Answer::Kind::kBytes) {
    if (!write(connection, mark, answer, closes)) return;
    books_.replies.add();
  } else {
    if (!write_failure(connection, mark, answer, closes, reason)) return;
    books_.replies.add();
  }
  if (!connection.is_live()) return;
  if (answer.switches()) change(connection, answer, closes);
  if (closes) end_behind(connection, reason);
}

void Replies::retire_streamed(Connection& connection, uint64_t number) {
  retire(connection, number, 1);
  cancels_.forget(connection, number);
}

void Replies::end_behind(Connection& connection, CloseReason reason) {
  ending_.finish(connection, reason);
  if (connection.listening->is_unordered) return;
  connection.life.mute();
  finisher_.withdraw_all(connection);  // nobody waits for what is behind it
}

// False: the codec has made a mistake, and the reply is dropped.
bool Replies::write(Connection& connection, const RequestMark& mark, Answer& answer, bool& closes) {
  Framer::Framed framed;
  std::string mistake;
  if (!framer_.frame(connection, mark.tag, answer, framed, mistake)) {
    fail(connection, mistake);
    return false;
  }
  closes = closes || framed.closes;
  if (framed.drops_body) answer = std::move(answer).with_view({});
  if (answer.file() != nullptr) {
    sender_.write_file(connection, framed.head, *answer.file(), framed.tail);
  } else {
    sender_.write_framed(connection, framed.head, answer, framed.tail);
  }
  return true;
}

// Likewise, for an error or a refusal.
bool Replies::write_failure(Connection& connection, const RequestMark& mark, const Answer& answer,
                            bool& closes, CloseReason& reason) {
  ErrorReply reply;
  std::string mistake;
  if (!framer_.ask_error_reply(connection, mark, answer, reply, mistake)) {
    fail(connection, mistake);
    return false;
  }
  closes = closes || reply.close;
  if (reply.is_framed) {
    Answer body(std::move(reply.body));
    sender_.write_framed(connection, {}, body, {});
  } else if (!reply.body.empty()) {
    Answer body(std::move(reply.body));
    if (closes) body = std::move(body).close_after();
    if (!write(connection, mark, body, closes)) return false;
  }
  if (reply.close || connection.life.has_given_up()) reason = CloseReason::kProtocolError;
  return true;
}

bool Replies::may_switch(const Connection& connection) {
  const CodecState* const state = connection.codec_state();
  return !connection.listening->overlaps() && (state == nullptr || !state->traits.decodes_ahead);
}

// With then() or then_layer().
void Replies::change(Connection& connection, const Answer& answer, bool closes) {
  if (answer.next_codec() != nullptr) switch_codec(connection, answer);
  if (answer.next_layer() != nullptr && !closes) start_layer(connection, answer.next_layer());
}

void Replies::switch_codec(Connection& connection, const Answer& answer) {
  const CodecTraits traits = CodecTraits::of(*answer.next_codec());
  const bool switched = with_memory([&] {
    std::unique_ptr<CodecState> state;
    if (!traits.is_plain()) state = std::make_unique<CodecState>(traits);
    Connection::Rare& rare = connection.make_rare();
    rare.codec_state = std::move(state);
    rare.switched_codec = answer.next_codec();
    ++rare.codec_switches;
    connection.decoder.use(rare.switched_codec.get());
  });
  if (!switched) ending_.close(connection, CloseReason::kOutOfMemory);
}

// The answer leaves in front of it.
void Replies::start_layer(Connection& connection,
                          const std::shared_ptr<const LayerFactory>& layer) {
  sender_.flush(connection);
  sender_.push_through(connection);
  if (!connection.is_live()) return;
  layers_.start(connection, layer);
  turn_.schedule(connection);
}

// Requests behind the answer may have been decoded already: there is no place for another codec.
// That a handler wants one is known only now; it costs this connection.
Answer Replies::refuse_switch(const Connection& connection) {
  loop_.assume_held();
  context_.switch_gate.write(context_.log, LogLevel::kError, loop_.now(), [&] {
    return "a handler of '" + std::string(connection.listening->name) +
           "' answers with then(codec) or then_layer(), which need Ordering::kSerial and a codec "
           "that does not decode ahead: its connection is closed";
  });
  return detail::failed(Failure::kInternal, "internal").close_after();
}

void Replies::send_alone(Connection& connection, Answer& answer) {
  Framer::Framed framed;
  std::string mistake;
  if (!framer_.frame(connection, {}, answer, framed, mistake)) return fail(connection, mistake);
  books_.replies.add();
  sender_.send(connection, {"", framed.head, answer.text(), framed.tail}, &answer);
}

void Replies::fail(Connection& connection, std::string_view mistake) {
  books_.replies_dropped.add();
  ending_.fail_codec(connection, mistake);
  connection.life.mute();
  finisher_.withdraw_all(connection);
}

}}  // namespace trireme
