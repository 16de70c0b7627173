// Step 5 of the I/O worker: answers leave in request order, and do what they ask for besides.
#include <string>
#include <utility>

#include "connection/io_worker.h"
#include "runtime/check.h"
#include "runtime/memory/scarce.h"

namespace trireme { inline namespace v0 {

// The reply to request `number`: leaves if it is its turn, and takes the held ones behind it along.
void IoWorker::answer_in_loop(Connection& connection, uint64_t number, Answer answer) {
  if (!connection.is_live()) return;  // counted when it closed
  if (!connection.sequencer.is_open(number)) return loop_.counters.stale_ids.add();
  if (!owns_writing_in_loop(connection))
    return;  // a worker is writing the very answer to this request
  if (!connection.sequencer.is_next(number)) {
    if (!hold_in_loop(connection, number, answer)) {
      close_in_loop(connection, CloseReason::kOutOfMemory);
    }
    return;
  }
  leave_in_turn_in_loop(connection, answer);
  leave_held_in_loop(connection);
}

// Keeps an answer whose turn has not come. False: the budget refuses, or the system.
bool IoWorker::hold_in_loop(Connection& connection, uint64_t number, Answer& answer) {
  const size_t bytes = answer.text().size() + Sequencer::kHeldBytes;
  if (!context_.buffers.charge(bytes)) return false;
  Charge charge(context_.buffers, bytes);
  return with_memory(
      [&] { connection.sequencer.hold(number, std::move(answer).with_copy(), std::move(charge)); });
}

// Replies whose turn has come while they were held. Others have their turn between many of them.
void IoWorker::leave_held_in_loop(Connection& connection) {
  Answer answer{std::string_view{}};
  for (int i = 0; i < Turn::kFramesMax; ++i) {
    if (!connection.is_live() || !connection.sequencer.take_next(answer)) return;
    leave_in_turn_in_loop(connection, answer);
  }
  turn_.schedule(connection);
}

// Gives a request that was read its number. `job`: what will handle it; null: nothing. 0: there is
// no memory to note its deadline.
uint64_t IoWorker::open_request_in_loop(Connection& connection, Job* job) {
  if (connection.listening->has_deadline()) {
    const auto note = [&] {
      loop_.assume_held();
      note_started_in_loop(connection, job);
    };
    if (!with_memory(note)) return 0;
  }
  return connection.sequencer.open();
}

void IoWorker::note_started_in_loop(Connection& connection, Job* job) {
  Connection::Rare& rare = connection.make_rare();
  if (rare.started == nullptr) rare.started = std::make_unique<std::deque<Connection::Started>>();
  // Not the time of this turn: handlers before it may have taken long.
  const TimePoint now = context_.platform.clock.now();
  rare.started->push_back({.read_at = now, .job = job});
  if (job != nullptr) job->deadline = connection.listening->deadline_of(now);
}

// With a handler deadline. The entry of a request whose reply has not left, or null.
Connection::Started* IoWorker::started_in_loop(Connection& connection, uint64_t number) {
  std::deque<Connection::Started>* const started = connection.started();
  if (started == nullptr || !connection.is_live()) return nullptr;
  const uint64_t place = number - connection.sequencer.next_to_leave();
  return place < started->size() ? &(*started)[place] : nullptr;
}

// The deadline of request `number` has passed: its handler is not started, or told, and the client
// has an error reply.
void IoWorker::expire_request_in_loop(Connection& connection, uint64_t number) {
  Connection::Started* const started = started_in_loop(connection, number);
  Job* const job = started != nullptr ? started->job : nullptr;
  if (job != nullptr && withdraw_in_loop(*job)) return finish_in_loop(*job);  // comes back here
  if (job != nullptr) job->cancel(CancelReason::kDeadline, context_.platform.threads);
  loop_.counters.handler_deadlines.add();
  answer_in_loop(connection, number, error("deadline exceeded"));
  turn_.schedule(connection);
}

// A job that was not started, for nobody waits for its replies any more.
void IoWorker::finish_unstarted_in_loop(Connection& connection, Job& job) {
  job.write_token.reset();
  loop_.counters.jobs_on_data_workers.subtract(job.requests_count);
  if (!connection.is_live() || !connection.sequencer.is_open(job.number)) return;
  if (connection.replies_ended) return answer_in_loop(connection, job.number, no_answer());
  expire_request_in_loop(connection, job.number);
}

// The next `count` replies have left, or never will. With a handler deadline that is one.
void IoWorker::note_left_in_loop(Connection& connection, uint32_t count) {
  connection.sequencer.left(count);
  if (connection.started() != nullptr) connection.started()->pop_front();
}

void IoWorker::leave_in_turn_in_loop(Connection& connection, Answer& answer) {
  note_left_in_loop(connection, 1);
  if (connection.replies_ended) {
    loop_.counters.replies_dropped.add();
  } else {
    leave_in_loop(connection, answer);
  }
}

void IoWorker::leave_in_loop(Connection& connection, Answer& answer) {
  LoopCounters& counters = loop_.counters;
  const bool switches = answer.next_codec() != nullptr;
  if (switches && connection.listening->pipelined()) answer = refuse_switch_in_loop(connection);
  bool closes = answer.closes();
  CloseReason reason = CloseReason::kClosedByHandler;
  if (answer.kind() == Answer::Kind::kNone) {
    counters.unanswered.add();
  } else if (answer.kind() == Answer::Kind::kBytes) {
    if (!write_framed_in_loop(connection, answer)) return withdraw_all_in_loop(connection);
    counters.replies.add();
  } else {
    ErrorReply reply;
    if (!ask_error_reply_in_loop(connection, answer, reply))
      return withdraw_all_in_loop(connection);
    if (!reply.body.empty()) {
      Answer body(std::move(reply.body));
      if (!write_framed_in_loop(connection, body)) return withdraw_all_in_loop(connection);
    }
    counters.replies.add();
    if (reply.close || connection.protocol_failed) reason = CloseReason::kProtocolError;
    closes = closes || reply.close;
  }
  if (!connection.is_live()) return;
  if (answer.next_codec() != nullptr) {
    Connection::Rare& rare = connection.make_rare();
    rare.switched_codec = answer.next_codec();
    ++rare.codec_switches;
    connection.decoder.use(rare.switched_codec.get());
  }
  if (!closes) return;
  connection.replies_ended = true;
  finish_connection_in_loop(connection, reason);
  withdraw_all_in_loop(connection);  // nobody waits for what is behind it
}

// Requests behind the answer may have been decoded already: there is no place for another codec.
// That a handler wants one is known only now; it costs this connection.
Answer IoWorker::refuse_switch_in_loop(const Connection& connection) {
  context_.switch_gate.write(context_.log, LogLevel::kError, loop_.now(), [&] {
    return "a handler of '" + std::string(connection.listening->name) +
           "' answers with then(codec), which needs Ordering::kSerial: its connection is closed";
  });
  return error("internal").close_after();
}

}}  // namespace trireme
