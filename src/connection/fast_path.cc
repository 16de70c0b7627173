#include "connection/fast_path.h"

#include "connection/dispatcher.h"

namespace trireme { inline namespace v0 {

inline void FastPath::retire(Connection& connection, Job& job) {
  connection.running = nullptr;
  connection.running_count = 0;
  Replies::retire(connection, job.requests.count);
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
      connection.running_count == 1 && connection.sequencer.in_flight() == job.requests.count;
  if (!kIsOn || !nothing_left || !all_here || !connection.is_plain() || !job.has_simple_answers() ||
      job.home.lost_loop) {
    return false;
  }
  parts_.placer.learn(job, loop.now());
  retire(connection, job);
  Answer* const alone = job.outbox.has_answer() ? &job.outbox.answer() : nullptr;
  bool is_done = true;
  if (alone != nullptr &&
      (job.run.fixed_envelope == nullptr || !job.run.fixed_envelope->is_empty())) {
    parts_.replies.send_alone(connection, *alone);
    is_done = connection.is_plain();
  } else {
    parts_.books.replies.add(job.requests.count);
    const std::string_view replies = alone != nullptr ? alone->text() : job.replies.text();
    is_done = parts_.sender.send_alone(connection, replies, alone);
  }
  if (alone != nullptr) job.outbox.clear();
  job.home.owner = nullptr;
  parts_.pool.keep(job);  // nothing else of the run is in it
  if (is_done) turn.let_go();
  return true;
}

bool FastPath::finish_written(Job& job) {
  EventLoop& loop = parts_.loop;
  loop.assume_held();
  Connection& connection = Connection::of(job);
  const bool all_left = job.direct.was_written() && job.direct.bytes() == job.replies.all().bytes &&
                        job.direct.error() == 0 && !job.outbox.has_answer() &&
                        job.replies.left_count() == 0;
  const bool nothing_else = connection.running_count == 1 && !connection.input.has_block() &&
                            connection.sequencer.in_flight() == job.requests.count;
  if (!kIsOn || !all_left || !nothing_else || !job.has_simple_answers() || !connection.is_plain()) {
    return false;
  }
  parts_.out.forget(job);
  parts_.placer.learn(job, loop.now());
  job.direct.reset();
  connection.writer = nullptr;
  retire(connection, job);
  connection.last_activity = loop.now();
  parts_.books.replies.add(job.requests.count);
  parts_.books.direct_writes.add();
  loop.counters.bytes_out.add(job.direct.bytes());
  parts_.dispatcher.recycle(job);
  return true;
}

}}  // namespace trireme
