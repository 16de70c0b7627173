#include "connection/fast_path.h"

#include "connection/dispatcher.h"
#include "connection/finisher.h"

namespace trireme { inline namespace v0 {

inline void FastPath::retire(Connection& connection, Job& job) {
  connection.running = nullptr;
  connection.running_count = 0;
  Replies::retire(connection, job.requests.number, job.requests.count);
}

bool FastPath::finish(Job& job) {
  EventLoop& loop = parts_.loop;
  loop.assume_held();
  Connection& connection = Connection::of(job);
  if (!kIsOn || !Finisher::is_all_there_is(parts_.turn, parts_.sender, connection, job)) {
    return false;
  }
  parts_.placer.learn(job, loop.now());
  retire(connection, job);
  Answer* const alone = job.outbox.has_answer() ? &job.outbox.answer() : nullptr;
  bool is_done = true;
  if (alone != nullptr && !job.run.envelopes->is_empty()) {
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
  if (is_done) parts_.turn.let_go();
  return true;
}

bool FastPath::finish_written(Job& job) {
  EventLoop& loop = parts_.loop;
  loop.assume_held();
  Connection& connection = Connection::of(job);
  if (!kIsOn || !Finisher::leaves_nothing(connection, job)) return false;
  parts_.out.forget(job);
  parts_.placer.learn(job, loop.now());
  job.direct.reset();
  connection.writer = nullptr;
  retire(connection, job);
  connection.times.last_activity = loop.now();
  parts_.books.replies.add(job.requests.count);
  parts_.books.direct_writes.add();
  loop.counters.bytes_out.add(job.direct.bytes());
  parts_.dispatcher.recycle(job);
  return true;
}

}}  // namespace trireme
