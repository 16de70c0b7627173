#include "connection/fast_path.h"

#include "connection/dispatcher.h"

namespace trireme { inline namespace v0 {

inline void FastPath::retire(Connection& connection, Job& job) {
  connection.running = nullptr;
  connection.running_count = 0;
  Replies::retire(connection, job.requests_count);
}

bool FastPath::finish(Job& job) {
  EventLoop& loop = parts_.loop;
  loop.assume_held();
  Connection& connection = Connection::of(job);
  Turn& turn = parts_.turn;
  const bool nothing_left = turn.is_at_hand(connection) && turn.received().empty() &&
                            !connection.input.has_block() && !parts_.sender.has_gathered();
  // No other request waits for its turn: with Ordering::kPipelined a Reply may be kept.
  const bool all_here =
      connection.running_count == 1 && connection.sequencer.in_flight() == job.requests_count;
  if (!kIsOn || !nothing_left || !all_here || !connection.is_plain() || !job.has_simple_answers() ||
      job.lost_loop) {
    return false;
  }
  parts_.placer.learn(job, loop.now());
  retire(connection, job);
  Answer* const alone = job.outbox.has_answer() ? &job.outbox.answer() : nullptr;
  bool is_done = true;
  if (alone != nullptr && (job.fixed_envelope == nullptr || !job.fixed_envelope->is_empty())) {
    parts_.replies.send_alone(connection, *alone);
    is_done = connection.is_plain();
  } else {
    parts_.books.replies.add(job.requests_count);
    const std::string_view replies =
        alone != nullptr ? alone->text() : std::string_view(job.replies.data(), job.replies_bytes);
    is_done = parts_.sender.send_alone(connection, replies, alone);
  }
  if (alone != nullptr) job.outbox.clear();
  job.owner = nullptr;
  parts_.pool.keep(job);  // nothing else of the run is in it
  if (is_done) turn.let_go();
  return true;
}

bool FastPath::finish_written(Job& job) {
  EventLoop& loop = parts_.loop;
  loop.assume_held();
  Connection& connection = Connection::of(job);
  const bool all_left = job.write_token.was_written() && job.written_bytes == job.replies_bytes &&
                        job.write_error == 0 && !job.outbox.has_answer() && job.left_count == 0;
  const bool nothing_else = connection.running_count == 1 && !connection.input.has_block() &&
                            connection.sequencer.in_flight() == job.requests_count;
  if (!kIsOn || !all_left || !nothing_else || !job.has_simple_answers() || !connection.is_plain()) {
    return false;
  }
  parts_.out.forget(job);
  parts_.placer.learn(job, loop.now());
  job.write_token.reset();
  connection.writer = nullptr;
  retire(connection, job);
  connection.last_activity = loop.now();
  parts_.books.replies.add(job.requests_count);
  parts_.books.direct_writes.add();
  loop.counters.bytes_out.add(job.written_bytes);
  parts_.dispatcher.recycle(job);
  return true;
}

}}  // namespace trireme
