#include "connection/receiver.h"

#include <algorithm>
#include <cerrno>
#include <string>
#include <utility>

#include "connection/bodies.h"
#include "connection/cancels.h"
#include "connection/clocks.h"
#include "connection/ending.h"
#include "connection/object_decoding.h"
#include "connection/sender.h"
#include "connection/strand.h"
#include "runtime/check.h"

namespace trireme { inline namespace v0 {

Job* Receiver::receive(Connection& connection, const Completion& completion) {
  parts_.loop.assume_held();
  if (completion.result > 0 && FastPath::may_start(connection)) {
    return take_whole(connection, {completion.bytes.data(), completion.bytes.size()});
  }
  take(connection, completion);
  return nullptr;
}

// Inline: every request comes here.
[[gnu::always_inline]] inline Job* Receiver::open(Connection& connection, const RequestMark* mark) {
  connection.reading.awaits_more = false;
  Job* const job = parts_.dispatcher.make(connection, JobKind::kRequest);
  if (job == nullptr) return drop_request(connection);
  job->requests.number = mark != nullptr ? parts_.replies.open_marked(connection, job, *mark)
                                         : parts_.replies.open(connection, job);
  if (job->requests.number == 0) {
    parts_.dispatcher.unmake(*job);
    return drop_request(connection);
  }
  parts_.books.requests.add();
  job->requests.count = 1;
  if (!connection.listening->overlaps() && !connection.has_encoder()) job->replies.switch_on();
  return job;
}

Job* Receiver::open_request(Connection& connection, const RequestMark& mark) {
  return open(connection, &mark);
}

// Bytes for a connection without any past, which become a job: nothing of what `take` and `pump`
// look at can be the case.
Job* Receiver::take_whole(Connection& connection, std::string_view input) {
  const Listening& listening = *connection.listening;
  connection.times.last_activity = parts_.loop.now();
  note_decoding(connection);
  Turn& turn = parts_.turn;
  turn.take_in_hand(connection);
  turn.count_frames(1);
  // One receive brings no more than a frame may have.
  const Frame frame =
      connection.decoder.decode(listening.frame_rules, input, false, input.size(), notes_);
  turn.set_received({input.data() + frame.consumed, input.size() - frame.consumed});
  if (frame.kind != Frame::Kind::kRequest) {
    if (!take_no_request(connection, frame)) end_turn();
    return nullptr;
  }
  Job* const job = make_request(connection, input, frame, true);
  if (job == nullptr) {
    end_turn();
    return nullptr;
  }
  if (job->replies.is_on() && !turn.received().empty()) add_requests(connection, *job);
  return parts_.dispatcher.dispatch(*job);
}

void Receiver::take(Connection& connection, const Completion& completion) {
  if (!connection.is_live() || connection.life.is_closing()) return;
  if (completion.result < 0) {
    const bool no_memory = completion.result == -ENOMEM;  // the driver's, or the kernel's
    return parts_.ending.close(connection,
                               no_memory ? CloseReason::kOutOfMemory : CloseReason::kReset);
  }
  const auto bytes = static_cast<size_t>(completion.result);
  if (!connection.life.is_open()) return parts_.ending.discard(connection, bytes);
  Turn& turn = parts_.turn;
  turn.take_in_hand(connection);
  connection.times.last_activity = parts_.loop.now();
  const bool is_first = connection.clocks.silent;
  if (is_first) parts_.clocks.end_silence(connection);
  note_decoding(connection);
  const bool layered = connection.has_layers();
  if (bytes == 0 && !layered) return note_end(connection);
  if (connection.clocks.late) {
    size_t& left = connection.make_rare().late_bytes_left;
    left -= std::min(left, bytes);
  }
  if (connection.life.is_draining()) {
    size_t& left = connection.make_rare().drain_bytes_left;
    left -= std::min(left, bytes);
    if (left == 0) connection.life.stop_input();
  }
  const std::string_view received(completion.bytes.data(), bytes);
  if (layered) return take_layered(connection, received);
  if (!is_first || !parts_.ending.refuse_tls(connection, received)) keep(connection, received);
}

// Bytes of the read buffer.
void Receiver::keep(Connection& connection, std::string_view received) {
  if (connection.input.bytes() == 0) {
    if (connection.input.has_block()) connection.input.drop(parts_.input_blocks);
    parts_.turn.set_received(received);
  } else if (!connection.input.append(parts_.input_blocks, received)) {
    parts_.ending.close(connection, CloseReason::kOutOfMemory);
  }
}

// For reports: whose codec is called by loop code now.
void Receiver::note_decoding(const Connection& connection) {
  parts_.held.holder_notes.note_code(connection.listening->name, connection.id);
}

Job* Receiver::pump(Connection& connection) {
  parts_.loop.assume_held();
  while (true) {
    Job* job = connection.has_stops_due() ? parts_.cancels.next(connection) : nullptr;
    if (job == nullptr) job = parts_.dispatcher.next_callback(connection);
    if (job == nullptr) {
      job = connection.events() == nullptr ? next_request(connection) : next_of_both(connection);
    }
    if (job == nullptr) return nullptr;
    if (Job* here = parts_.dispatcher.dispatch(*job)) return here;
  }
}

// Its session has events: they and its requests take turns.
Job* Receiver::next_of_both(Connection& connection) {
  const Turn& turn = parts_.turn;
  Job* job = parts_.strand.next(connection);
  if (job == nullptr && !turn.was_cut_short()) job = next_request(connection);
  if (job == nullptr && !turn.was_cut_short()) job = parts_.strand.next_without_request(connection);
  return job;
}

Job* Receiver::next_request(Connection& connection) {
  if (has_no_input(connection)) return nullptr;
  if (!may_start(connection)) {
    if (connection.codec_state() != nullptr) parts_.objects.decode_ahead(connection);
    return nullptr;
  }
  Turn& turn = parts_.turn;
  if (!turn.count_frame()) return nullptr;
  Job* const job = decode(connection);
  if (job == nullptr) return nullptr;
  // Handlers that start are told, as those that run.
  if (connection.life.is_draining())
    job->cancellation.cancel(CancelReason::kDrain, parts_.context.platform);
  // Not worth a call where no more has arrived, which is so most times.
  if (job->replies.is_on() && connection.reading.requests_a_job > 1 &&
      !turn.pending(connection).empty()) {
    add_requests(connection, *job);
  }
  return job;
}

bool Receiver::may_start(const Connection& connection) const {
  if (!connection.life.decodes() || connection.out.is_full()) return false;
  // A handler may outlive its request: the deadline has answered, or another thread has.
  const uint64_t at_work =
      std::max<uint64_t>(connection.sequencer.in_flight(), connection.running_count);
  if (at_work >= connection.listening->in_flight_max()) return false;
  // When memory is short a pipelined connection goes on one by one: requests at work cost memory.
  if (at_work > 0 && parts_.context.buffers.under_pressure()) return false;
  return !connection.listening->has_session ||
         (connection.life.is_session_open() && !connection.life.is_drain_callback_due() &&
          !connection.life.is_callback_out());
}

// True if there is nothing to decode and nothing to note, which is so after most requests.
bool Receiver::has_no_input(const Connection& connection) const {
  return parts_.turn.pending(connection).empty() && !connection.life.peer_ended() &&
         !connection.life.is_stopped() && !connection.reading.awaits_more &&
         !connection.is_in_frame() && !connection.has_decoded_ahead();
}

// For a connection that may start. Decodes until there is a request. Refused frames are answered on
// the way.
Job* Receiver::decode(Connection& connection) {
  if (connection.codec_state() != nullptr && connection.codec_state()->traits.has_decoder)
    return parts_.objects.decode(connection);
  do {
    const std::string_view input = parts_.turn.pending(connection);
    const bool in_read_buffer = connection.input.bytes() == 0;
    const bool ended = connection.life.peer_ended();
    Frame frame;
    if (!input.empty() || ended) {
      const FrameRules& rules = connection.listening->frame_rules;
      const size_t limit = std::min(input.size(), frame_bytes_limit(rules.frame_bytes_max));
      frame = connection.decoder.decode(rules, input, ended, limit, notes_);
      if (frame.consumed > 0) parts_.turn.consume(connection, frame.consumed);
    }
    if (frame.kind == Frame::Kind::kRequest) {
      return make_request(connection, input, frame, in_read_buffer);
    }
    if (!take_no_request(connection, frame)) return nullptr;
  } while (may_start(connection));
  return nullptr;
}

// The job of a request that was found at the front of `input` and is consumed. Null: there is no
// memory for one, and the connection is closed.
Job* Receiver::make_request(Connection& connection, std::string_view input, const Frame& frame,
                            bool in_read_buffer) {
  Job* const job = open(connection, nullptr);
  if (job == nullptr) return nullptr;
  job->requests.begin = input.data();
  job->requests.all[0] = {frame.payload, input.data() + frame.consumed, connection.decoder.state(),
                          frame.request_kind};
  job->home.in_read_buffer = in_read_buffer;
  return job;
}

Job* Receiver::drop_request(Connection& connection) {
  parts_.books.partial_requests_dropped.add();
  parts_.ending.close(connection, CloseReason::kOutOfMemory);
  return nullptr;
}

// Adds the requests that have arrived behind the first, on a serial connection. Stops at the first
// frame that is not a request of the same kind, for the requests of a job start in one place.
void Receiver::add_requests(Connection& connection, Job& job) {
  const Listening& listening = *connection.listening;
  if (listening.has_deadline() || connection.codec_state() != nullptr ||
      parts_.context.buffers.under_pressure()) {
    return;
  }
  Turn& turn = parts_.turn;
  const std::string_view input = turn.pending(connection);
  const uint32_t room =
      std::min(connection.reading.requests_a_job - job.requests.count, turn.frames_left());
  const std::span<DecodedRequest> into =
      std::span(job.requests.all).subspan(job.requests.count, room);
  const size_t found =
      connection.decoder.decode_requests(listening.frame_rules, input, connection.life.peer_ended(),
                                         job.requests.all[0].kind, into, notes_);
  if (found == 0) {
    if (!notes_.mistake.empty()) fail_codec(connection);
    return;
  }
  turn.consume(connection, static_cast<size_t>(into[found - 1].end - input.data()));
  for (size_t i = 0; i < found; ++i) connection.sequencer.open();
  job.requests.count += static_cast<uint32_t>(found);
  turn.count_frames(static_cast<uint32_t>(found));
  parts_.books.requests.add(found);
}

// What the codec has found and is no request; it is consumed. True: there may be one behind it.
bool Receiver::take_no_request(Connection& connection, const Frame& frame) {
  switch (frame.kind) {
    case Frame::Kind::kIncomplete:
      return take_incomplete(connection, frame);
    case Frame::Kind::kEnd:
      if (!notes_.mistake.empty()) fail_codec(connection);
      connection.life.note_decoded();
      connection.reading.awaits_more = false;
      if (std::exchange(notes_.lost_part, false) || frame.consumed > 0) {
        parts_.books.partial_requests_dropped.add();
      }
      return false;
    case Frame::Kind::kSkip:
      if (!connection.is_in_frame()) connection.reading.awaits_more = false;  // else its clock runs
      return parts_.turn.count_frame();
    case Frame::Kind::kRefused:
    case Frame::Kind::kFatal:
      return refuse(connection, frame, nullptr);
    case Frame::Kind::kRequest:
    case Frame::Kind::kPart:
    case Frame::Kind::kGoodbye:
      break;
  }
  CHECK(false, "a request is taken by make_request, parts and a goodbye by ObjectDecoding");
  return false;
}

bool Receiver::take_incomplete(Connection& connection, const Frame& frame) {
  const bool has_rest = !parts_.turn.pending(connection).empty();
  if (frame.consumed > 0 && (has_rest || connection.life.peer_ended())) {
    return parts_.turn.count_frame();
  }
  const bool partial = has_rest || connection.is_in_frame();
  if (connection.life.is_stopped()) {
    connection.life.note_decoded();
    if (partial) parts_.books.partial_requests_dropped.add();
  } else if (partial && !connection.reading.awaits_more) {
    parts_.clocks.start_request(connection);
  }
  connection.reading.awaits_more = partial;
  return false;
}

bool Receiver::refuse(Connection& connection, const Frame& frame, const RequestMark* mark) {
  connection.reading.awaits_more = false;
  parts_.books.refused_frames.add();
  Answer refusal = detail::failed(frame.failure, std::string(frame.payload));
  if (frame.kind == Frame::Kind::kFatal) {
    connection.life.note_given_up();
    refusal = std::move(refusal).close_after();
  }
  const uint64_t number = mark != nullptr ? parts_.replies.open_marked(connection, nullptr, *mark)
                                          : parts_.replies.open(connection, nullptr);
  if (number == 0) {
    parts_.ending.close(connection, CloseReason::kOutOfMemory);
    return false;
  }
  parts_.replies.answer(connection, number, std::move(refusal));
  return parts_.turn.count_frame();
}

// The mistake that the decoder has noted.
void Receiver::fail_codec(Connection& connection) {
  parts_.ending.fail_codec(connection, std::exchange(notes_.mistake, {}));
}

void Receiver::end_turn() {
  parts_.loop.assume_held();
  Turn& turn = parts_.turn;
  Connection& connection = *turn.at_hand();
  if (parts_.fast_path.is_out(connection)) return turn.let_go();
  if (connection.has_layers()) go_on(connection);
  if (!turn.received().empty() && connection.life.keeps_input() &&
      !connection.input.append(parts_.input_blocks, turn.received())) {
    parts_.ending.close(connection, CloseReason::kOutOfMemory);
  }
  turn.set_received({});
  if (connection.input.has_block() && (connection.input.bytes() == 0 || !connection.is_live())) {
    connection.input.drop(parts_.input_blocks);
  }
  parts_.sender.flush(connection);
  parts_.ending.step(connection);
  balance_reading(connection);
  parts_.clocks.arm(connection);
  // The job that is out may post itself home quietly: tell it if its return is awaited. seq_cst:
  // before this loop sleeps it looks into its mailbox once more.
  if (connection.writer != nullptr &&
      (connection.input.bytes() > 0 || connection.life.peer_ended() ||
       connection.life.is_stopped() || connection.life.is_output_ending() ||
       connection.listening->has_session)) {
    connection.writer->direct.await();
  }
  // A job that runs may give requests back.
  if (connection.life.peer_ended() && connection.running_count == 0 &&
      connection.input.bytes() == 0 && !connection.is_in_frame() &&
      !connection.has_decoded_ahead()) {
    connection.life.note_end_heard();
  }
  const bool more = turn.was_cut_short();
  turn.let_go();
  // A flush may have opened what a full write queue had closed, or closed the connection.
  const bool callback_due = connection.life.is_closed() && !connection.life.is_session_done() &&
                            connection.running_count == 0 && !connection.timer_armed();
  const bool end_due = connection.life.is_end_callback_due() && connection.running_count == 0 &&
                       connection.is_live();
  const bool stops_due = connection.has_stops_due() && !connection.timer_armed();
  if (more || callback_due || end_due || stops_due || connection.leaves_more() ||
      (may_start(connection) && connection.input.bytes() > 0 && !connection.reading.awaits_more &&
       !Bodies::awaits_room(connection))) {
    turn.schedule(connection);
  }
  parts_.ending.try_release(connection);
}

// Back-pressure: a connection that cannot start its requests now stops reading, so that its client
// is held back by its own socket.
void Receiver::balance_reading(Connection& connection) {
  const Life& life = connection.life;
  if (!life.is_live() || life.is_closing() || life.is_lingering()) return;
  const Limits& limits = connection.listening->options.limits;
  const bool full = connection.input.bytes() >= limits.read_ahead_bytes_max;
  const CodecState* const state = connection.codec_state();
  const bool has_body = state != nullptr && state->has_body();
  const bool reads_body = has_body && state->has_read_body();
  const bool stuck = !connection.is_shaking() &&
                     (has_body ? Bodies::awaits_room(connection) : !may_start(connection));
  const bool pause = !life.keeps_input() || (life.is_stopped() && !reads_body) ||
                     connection.out.is_full() || Layers::is_full(connection) ||
                     (full && !connection.reading.awaits_more && connection.input.bytes() > 0) ||
                     (stuck && (full || parts_.context.buffers.under_pressure()));
  if (pause == connection.reading.paused) return;
  connection.reading.paused = pause;
  EventLoop& loop = parts_.loop;
  loop.assume_held();
  if (pause) {
    parts_.books.reads_paused.add();
    loop.driver().pause(connection);
  } else {
    if (connection.reading.awaits_more) parts_.clocks.start_request(connection);  // it stood still
    if (has_body) parts_.clocks.start_body(connection);                           // likewise
    loop.driver().receive(connection);
  }
}

}}  // namespace trireme
