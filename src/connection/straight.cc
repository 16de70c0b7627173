// The common case in one piece: every request that had arrived is answered in the loop, each with a
// small plain answer, or one with a large one, and nothing else is to be done for the connection.
//
// What finish_in_loop, send_in_loop and end_batch_in_loop find out one after the other is asked
// here at once. It matters because the kernel throws our code out of the caches with every call:
// the instructions of a request cost little, the number of places that they are in costs a lot.
#include "connection/io_worker.h"

namespace trireme::inline v0 {

// True: the replies have left, or wait in the write queue, and the job is recycled. False: nothing
// was done.
bool IoWorker::finish_straight_in_loop(Job& job) {
  Connection& connection = *job.connection;
  const bool nothing_left = &connection == batch_ && batch_input_.empty() &&
                            connection.input == nullptr && out_connection_ == nullptr;
  // No other request waits for its turn: with Ordering::kPipelined a Reply may be kept.
  const bool all_here =
      connection.running_count == 1 && connection.sequencer.in_flight() == job.requests_count;
  if (!nothing_left || !all_here || !connection.is_plain() || !job.has_simple_answers() ||
      job.lost_loop) {
    return false;
  }
  if (job.kind != nullptr) learn_in_loop(job);
  connection.running = nullptr;
  connection.running_count = 0;
  connection.sequencer.left(job.requests_count);
  loop_.counters.replies.add(job.requests_count);
  bool is_done = true;
  if (job.outbox.answer) {
    Envelope envelope;
    send_in_loop(connection, job.pieces(envelope), &*job.outbox.answer);
    recycle_in_loop(job);
    is_done = connection.is_plain();
  } else {
    const std::string_view replies(job.replies.data(), job.replies_bytes);
    const iovec piece{job.replies.data(), job.replies_bytes};
    const Sent result = loop_.driver().send(connection, std::span(&piece, 1));
    if (result.bytes == replies.size()) {
      connection.last_activity = loop_.now();
    } else {
      keep_unsent_in_loop(connection, {replies}, result, nullptr);
      is_done = false;
    }
    job.connection = nullptr;
    keep_job_in_loop(job);  // nothing of the run is in it
  }
  if (is_done) {
    batch_ = nullptr;
    batch_frames_ = 0;
  }
  return true;
}

}  // namespace trireme
