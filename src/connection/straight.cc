// The common cases in one piece: whole requests arrive for a connection that does nothing else, and
// every one is answered in the loop, each with a small plain answer, or one with a large one; or
// all of them are with a data worker, which sends such answers itself.
//
// What on_received_in_loop and pump_in_loop find out one after the other, and finish_in_loop,
// send_in_loop and end_batch_in_loop after the handler, is asked here at once. It matters because
// the kernel throws our code out of the caches with every call: the instructions of a request cost
// little, the number of places that they are in costs a lot.
#include "connection/io_worker.h"

namespace trireme { inline namespace v0 {

// Bytes that have arrived for a connection without any past: they become a job. False: nothing was
// done. True: they are taken, and what is left of them is at hand; `here` is the job if it is
// to run on this thread.
bool IoWorker::start_straight_in_loop(const Completion& completion, Job*& here) {
  if (completion.kind != Completion::Kind::kReceived || completion.result <= 0) return false;
  Connection& connection = static_cast<Connection&>(*completion.channel);
  const Listening& listening = *connection.listening;
  const bool at_work = connection.running_count > 0 || connection.sequencer.in_flight() > 0;
  if (at_work || connection.input.has_block() || !connection.is_plain() ||
      (listening.has_session && !connection.session_opened)) {
    return false;
  }
  connection.last_activity = loop_.now();
  code_service.store(listening.name, std::memory_order_relaxed);
  code_id.store(connection.id.value, std::memory_order_relaxed);
  const std::string_view input(completion.bytes.data(), completion.bytes.size());
  turn_.take_in_hand(connection);
  turn_.count_frames(1);
  // One receive brings no more than a frame may have.
  const Frame frame =
      connection.decoder.decode(listening.frame_rules, input, false, input.size(), notes_);
  turn_.set_received({input.data() + frame.consumed, input.size() - frame.consumed});
  if (frame.kind != Frame::Kind::kRequest) {
    if (!take_no_request_in_loop(connection, frame)) end_batch_in_loop();
    return true;
  }
  Job* job = request_in_loop(connection, input, frame, true);
  if (job == nullptr) {
    end_batch_in_loop();
    return true;
  }
  if (job->gathers && !turn_.received().empty()) add_requests_in_loop(connection, *job);
  here = dispatch_in_loop(job);
  return true;
}

// True: the replies have left, or wait in the write queue, and the job is recycled. False: nothing
// was done.
bool IoWorker::finish_straight_in_loop(Job& job) {
  Connection& connection = Connection::of(job);
  const bool nothing_left = turn_.is_at_hand(connection) && turn_.received().empty() &&
                            !connection.input.has_block() && out_connection_ == nullptr;
  // No other request waits for its turn: with Ordering::kPipelined a Reply may be kept.
  const bool all_here =
      connection.running_count == 1 && connection.sequencer.in_flight() == job.requests_count;
  if (!nothing_left || !all_here || !connection.is_plain() || !job.has_simple_answers() ||
      job.lost_loop) {
    return false;
  }
  placer_.learn(job, loop_.now());
  connection.running = nullptr;
  connection.running_count = 0;
  connection.sequencer.left(job.requests_count);
  Answer* const alone = job.outbox.has_answer() ? &job.outbox.answer() : nullptr;
  bool is_done = true;
  if (alone != nullptr && (job.fixed_envelope == nullptr || !job.fixed_envelope->is_empty())) {
    send_framed_in_loop(connection, *alone);
    is_done = connection.is_plain();
  } else {
    loop_.counters.replies.add(job.requests_count);
    const std::string_view replies =
        alone != nullptr ? alone->text() : std::string_view(job.replies.data(), job.replies_bytes);
    const iovec piece{const_cast<char*>(replies.data()), replies.size()};
    const Sent result = loop_.driver().send(connection, std::span(&piece, 1));
    if (result.bytes == replies.size()) {
      connection.last_activity = loop_.now();
    } else {
      keep_unsent_in_loop(connection, {"", "", replies}, result, alone);
      is_done = false;
    }
  }
  if (alone != nullptr) job.outbox.clear();
  job.owner = nullptr;
  job_pool_.keep(job);  // nothing else of the run is in it
  if (is_done) {
    turn_.let_go();
  }
  return true;
}

// A large answer with something around it.
void IoWorker::send_framed_in_loop(Connection& connection, Answer& answer) {
  Envelope envelope;
  if (!ask_envelope_in_loop(connection, answer.text().size(), envelope)) return;
  loop_.counters.replies.add();
  send_in_loop(connection,
               {"", std::string_view(envelope.head.data(), envelope.head_bytes), answer.text(),
                std::string_view(envelope.tail.data(), envelope.tail_bytes)},
               &answer);
}

// At the end of a batch. True: all that had arrived is with a data worker, and there is nothing to
// do until it comes home. No clock runs meanwhile, for there is no deadline (is_plain), and reading
// goes on.
bool IoWorker::is_out_straight_in_loop(const Connection& connection) const {
  return connection.running_count == 1 && !turn_.was_cut_short() && turn_.received().empty() &&
         !connection.input.has_block() && out_connection_ != &connection && connection.is_plain() &&
         !connection.listening->has_session && connection.listening->reads_ahead &&
         !context_.buffers.under_pressure() && !connection.sequencer.holds_next();
}

// finish_straight_in_loop for a job that comes home from a data worker, which has sent all of its
// replies. False: nothing was done.
bool IoWorker::finish_written_straight_in_loop(Job& job) {
  Connection& connection = Connection::of(job);
  const bool all_left = job.write_token.was_written() && job.written_bytes == job.replies_bytes &&
                        job.write_error == 0 && !job.outbox.has_answer() && job.left_count == 0;
  const bool nothing_else = connection.running_count == 1 && !connection.input.has_block() &&
                            connection.sequencer.in_flight() == job.requests_count;
  if (!all_left || !nothing_else || !job.has_simple_answers() || !connection.is_plain()) {
    return false;
  }
  jobs_out_.forget(job);
  placer_.learn(job, loop_.now());
  job.write_token.reset();
  connection.writer = nullptr;
  connection.running = nullptr;
  connection.running_count = 0;
  connection.sequencer.left(job.requests_count);
  connection.last_activity = loop_.now();
  loop_.counters.replies.add(job.requests_count);
  loop_.counters.direct_writes.add();
  loop_.counters.bytes_out.add(job.written_bytes);
  recycle_in_loop(job);
  return true;
}

}}  // namespace trireme
