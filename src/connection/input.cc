// Steps 2 to 4 of the I/O worker: received bytes become requests, requests become jobs.
#include <algorithm>
#include <bit>
#include <cerrno>
#include <cstring>
#include <utility>

#include "connection/io_worker.h"
#include "runtime/check.h"
#include "runtime/memory/scarce.h"

namespace trireme { inline namespace v0 {
void IoWorker::on_received_in_loop(Connection& connection, const Completion& completion) {
  if (!connection.is_live() || connection.close_pending) return;
  if (completion.result < 0) {
    const bool no_memory = completion.result == -ENOMEM;  // the driver's, or the kernel's
    return close_in_loop(connection, no_memory ? CloseReason::kOutOfMemory : CloseReason::kReset);
  }
  const auto bytes = static_cast<size_t>(completion.result);
  if (connection.phase != Connection::Phase::kOpen) {
    if (bytes == 0) connection.input_ended = true;
    connection.counted_bytes = static_cast<uint32_t>(
        std::min<uint64_t>(uint64_t{connection.counted_bytes} + bytes, UINT32_MAX));
    const bool enough = connection.counted_bytes > context_.options.linger_bytes_max;
    if (connection.phase == Connection::Phase::kLingering &&
        (bytes == 0 || (enough && has_taken_all_in_loop(connection)) ||
         (connection.late && loop_.driver().bytes_readable(connection) == 0))) {
      close_in_loop(connection, connection.reason);
    }
    return;
  }
  turn_.take_in_hand(connection);
  connection.last_activity = loop_.now();
  if (connection.silent) end_silence_in_loop(connection);
  code_service.store(connection.listening->name, std::memory_order_relaxed);
  code_id.store(connection.id.value, std::memory_order_relaxed);
  if (bytes == 0) {
    connection.input_ended = true;
    return;
  }
  if (connection.late) {
    uint32_t& left = connection.counted_bytes;
    left -= std::min(left, static_cast<uint32_t>(bytes));
  }
  if (connection.draining) {
    size_t& left = connection.make_rare().drain_bytes_left;
    left -= std::min(left, bytes);
    if (left == 0) connection.input_stopped = true;
  }
  const std::string_view received(completion.bytes.data(), bytes);
  if (connection.input.bytes() == 0) {
    if (connection.input.has_block()) connection.input.drop(input_blocks_);
    turn_.set_received(received);
  } else if (!connection.input.append(input_blocks_, received)) {
    close_in_loop(connection, CloseReason::kOutOfMemory);
  }
}

// The next job of this connection that is to run on this thread; jobs for data workers are put
// aside on the way. Null: nothing can be started now.
Job* IoWorker::pump_in_loop(Connection& connection) {
  while (true) {
    Job* job = next_callback_in_loop(connection);
    if (job == nullptr) {
      if (has_no_input_in_loop(connection) || !may_start_in_loop(connection)) return nullptr;
      if (!turn_.count_frame()) return nullptr;
      job = decode_in_loop(connection);
      if (job == nullptr) return nullptr;
      // Not worth a call where no more has arrived, which is so most times.
      if (job->gathers && connection.requests_a_job > 1 && !turn_.pending(connection).empty()) {
        add_requests_in_loop(connection, *job);
      }
    }
    if (Job* here = dispatch_in_loop(job)) return here;
  }
}

// A callback of the session that is due: on_open, on_close, on_drain. One thing at a time runs for
// a session.
Job* IoWorker::next_callback_in_loop(Connection& connection) {
  if (!connection.listening->has_session || connection.running_count > 0) return nullptr;
  if (connection.phase == Connection::Phase::kClosed) {
    if (connection.close_done) return nullptr;
    if (!connection.session_opened) {
      connection.close_done = true;
      return nullptr;
    }
    Job* const job = make_job_in_loop(connection, JobKind::kClose);
    loop_.timers().cancel(connection);
    // on_close must come: without memory it is tried again.
    if (job == nullptr) loop_.timers().arm(connection, time_after(loop_.now(), kRetryMemory));
    return job;
  }
  if (!connection.session_opened) return make_callback_in_loop(connection, JobKind::kOpen);
  if (!connection.drain_due) return nullptr;
  connection.drain_due = false;
  return make_callback_in_loop(connection, JobKind::kDrain);
}

// Without memory the connection closes.
Job* IoWorker::make_callback_in_loop(Connection& connection, JobKind kind) {
  Job* const job = make_job_in_loop(connection, kind);
  if (job == nullptr) close_in_loop(connection, CloseReason::kOutOfMemory);
  return job;
}

bool IoWorker::may_start_in_loop(const Connection& connection) const {
  if (connection.close_pending || connection.protocol_failed) return false;
  if (connection.phase != Connection::Phase::kOpen || connection.decode_ended ||
      connection.write_blocked)
    return false;
  // A handler may outlive its request: the deadline has answered, or another thread has.
  const uint64_t at_work =
      std::max<uint64_t>(connection.sequencer.in_flight(), connection.running_count);
  if (at_work >= connection.listening->in_flight_max()) return false;
  // When memory is short a pipelined connection goes on one by one: requests at work cost memory.
  if (at_work > 0 && context_.buffers.under_pressure()) return false;
  if (connection.listening->has_session &&
      (!connection.session_opened || connection.drain_due || connection.callback_out)) {
    return false;
  }
  return true;
}

// True if there is nothing to decode and nothing to note, which is so after most requests.
bool IoWorker::has_no_input_in_loop(const Connection& connection) const {
  return turn_.pending(connection).empty() && !connection.input_ended &&
         !connection.input_stopped && !connection.awaits_more && !connection.decoder.is_in_frame();
}

// The job of a request that was found at the front of `input` and is consumed. Null: there is no
// memory for one, and the connection is closed.
Job* IoWorker::request_in_loop(Connection& connection, std::string_view input, const Frame& frame,
                               bool in_read_buffer) {
  connection.awaits_more = false;
  Job* job = make_job_in_loop(connection, JobKind::kRequest);
  if (job == nullptr) {
    loop_.counters.partial_requests_dropped.add();
    close_in_loop(connection, CloseReason::kOutOfMemory);
    return nullptr;
  }
  job->number = open_request_in_loop(connection, job);
  if (job->number == 0) {
    unmake_job_in_loop(*job);
    loop_.counters.partial_requests_dropped.add();
    close_in_loop(connection, CloseReason::kOutOfMemory);
    return nullptr;
  }
  loop_.counters.requests.add();
  job->requests_begin = input.data();
  job->requests[0] = {frame.payload, input.data() + frame.consumed, connection.decoder.state(),
                      frame.request_kind};
  job->requests_count = 1;
  job->gathers = !connection.listening->pipelined();
  job->in_read_buffer = in_read_buffer;
  return job;
}

// For a connection that may start. Decodes until there is a request. Refused frames are answered on
// the way.
Job* IoWorker::decode_in_loop(Connection& connection) {
  do {
    const std::string_view input = turn_.pending(connection);
    const bool in_read_buffer = connection.input.bytes() == 0;
    Frame frame;
    if (!input.empty() || connection.input_ended) {
      const FrameRules& rules = connection.listening->frame_rules;
      frame = connection.decoder.decode(
          rules, input, connection.input_ended,
          std::min(input.size(), frame_bytes_limit(rules.frame_bytes_max)), notes_);
      if (frame.consumed > 0) turn_.consume(connection, frame.consumed);
    }
    if (frame.kind == Frame::Kind::kRequest) {
      return request_in_loop(connection, input, frame, in_read_buffer);
    }
    if (!take_no_request_in_loop(connection, frame)) return nullptr;
  } while (may_start_in_loop(connection));
  return nullptr;
}

// What the codec has found and is no request; it is consumed. True: there may be one behind it.
bool IoWorker::take_no_request_in_loop(Connection& connection, const Frame& frame) {
  LoopCounters& counters = loop_.counters;
  switch (frame.kind) {
    case Frame::Kind::kIncomplete: {
      const bool has_rest = !turn_.pending(connection).empty();
      if (frame.consumed > 0 && (has_rest || connection.input_ended)) return turn_.count_frame();
      const bool partial = has_rest || connection.decoder.is_in_frame();
      if (connection.input_stopped) {
        connection.decode_ended = true;
        if (partial) counters.partial_requests_dropped.add();
      } else if (partial && !connection.awaits_more) {
        start_request_clock_in_loop(connection);
      }
      connection.awaits_more = partial;
      return false;
    }
    case Frame::Kind::kEnd:
      if (!notes_.mistake.empty()) codec_failed_in_loop(connection);
      if (std::exchange(notes_.lost_part, false)) counters.partial_requests_dropped.add();
      connection.decode_ended = true;
      connection.awaits_more = false;
      if (frame.consumed > 0) counters.partial_requests_dropped.add();
      return false;
    case Frame::Kind::kRefused:
    case Frame::Kind::kFatal: {
      connection.awaits_more = false;
      counters.refused_frames.add();
      Answer refusal = error(std::string(frame.payload));
      if (frame.kind == Frame::Kind::kFatal) {
        connection.protocol_failed = true;
        refusal = std::move(refusal).close_after();
      }
      const uint64_t number = open_request_in_loop(connection, nullptr);
      if (number == 0) {
        close_in_loop(connection, CloseReason::kOutOfMemory);
        return false;
      }
      answer_in_loop(connection, number, std::move(refusal));
      return turn_.count_frame();
    }
    case Frame::Kind::kRequest:
      break;
  }
  CHECK(false, "a request is taken by request_in_loop");
  return false;
}

// The end of what can be done for the connection at hand: its rest is kept, its replies leave, its
// clocks are set.
void IoWorker::end_batch_in_loop() {
  Connection& connection = *turn_.at_hand();
  if (is_out_straight_in_loop(connection)) {
    turn_.let_go();
    return;
  }
  if (!turn_.received().empty() && connection.phase == Connection::Phase::kOpen &&
      !connection.decode_ended && !connection.input.append(input_blocks_, turn_.received())) {
    close_in_loop(connection, CloseReason::kOutOfMemory);
  }
  turn_.set_received({});
  if (connection.input.has_block() && (connection.input.bytes() == 0 || !connection.is_live())) {
    connection.input.drop(input_blocks_);
  }
  if (out_connection_ == &connection) flush_in_loop();
  advance_ending_in_loop(connection);
  balance_reading_in_loop(connection);
  arm_in_loop(connection);
  // The job that is out may post itself home quietly: tell it if its return is awaited. seq_cst:
  // before this loop sleeps it looks into its mailbox once more.
  if (connection.writer != nullptr &&
      (connection.input.bytes() > 0 || connection.input_ended || connection.input_stopped ||
       connection.listening->has_session)) {
    connection.writer->return_flag->await();
  }
  const bool more = turn_.was_cut_short();
  turn_.let_go();
  // A flush may have opened what a full write queue had closed, or closed the connection.
  const bool callback_due = connection.phase == Connection::Phase::kClosed &&
                            !connection.close_done && connection.running_count == 0 &&
                            !connection.timer_armed();
  if (more || callback_due || connection.sequencer.holds_next() ||
      (may_start_in_loop(connection) && connection.input.bytes() > 0 && !connection.awaits_more)) {
    turn_.schedule(connection);
  }
  try_release_in_loop(connection);
}

// Back-pressure: a connection that cannot start its requests now stops reading, so that its client
// is held back by its own socket.
void IoWorker::balance_reading_in_loop(Connection& connection) {
  if (!connection.is_live() || connection.close_pending ||
      connection.phase == Connection::Phase::kLingering)
    return;
  const Limits& limits = connection.listening->options.limits;
  const bool full = connection.input.bytes() >= limits.read_ahead_bytes_max;
  const bool stuck = !may_start_in_loop(connection);
  const bool pause = connection.phase != Connection::Phase::kOpen || connection.input_stopped ||
                     connection.decode_ended || connection.write_blocked ||
                     (full && !connection.awaits_more && connection.input.bytes() > 0) ||
                     (stuck && (full || context_.buffers.under_pressure()));
  if (pause == connection.reading_paused) return;
  connection.reading_paused = pause;
  if (pause) {
    loop_.counters.reads_paused.add();
    loop_.driver().pause(connection);
  } else {
    if (connection.awaits_more) start_request_clock_in_loop(connection);  // it stood still
    loop_.driver().receive(connection);
  }
}

}}  // namespace trireme
