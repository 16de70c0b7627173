#include "connection/dispatcher.h"

#include <algorithm>
#include <utility>

#include "connection/ending.h"
#include "connection/sender.h"
#include "runtime/memory/scarce.h"

namespace trireme { inline namespace v0 {

Job* Dispatcher::put_aside(Job& job) {
  loop_.assume_held();
  Connection& connection = Connection::of(job);
  if (connection.listening->options.streams && job.run.kind == JobKind::kRequest)
    job.run.permit = StreamPermit::kWanted;
  if (job.run.permit == StreamPermit::kWanted && crew_->is_stream_line_full()) {
    return refuse_stream(job);
  }
  // Callbacks that come once cost nothing: on_close must come however little memory is left. Others
  // are charged already (Strand).
  const size_t cost = job.run.kind == JobKind::kRequest
                          ? sizeof(Job) + BlockCache::capacity_for(job.requests.bytes().size())
                          : 0;
  const bool affords = cost == 0 || context_.buffers.charge(cost);
  if (affords && cost > 0) job.home.charge = Charge(context_.buffers, cost);
  if (!affords || !pool_.own_requests(job)) {
    unmake(job);
    ending_.close(connection, CloseReason::kOutOfMemory);
    return nullptr;
  }
  books_.jobs_on_data_workers.add(std::max(job.requests.count, 1u));
  if (job.requests.count > 1) out_.watch(job, loop_.now());
  out_.put_aside(job);
  sender_.grant_writing(connection, job);  // last: a send that fails closes, and withdraws the job
  return nullptr;
}

// It goes home at once, unstarted: Finisher answers. Nobody looks at its requests any more.
Job* Dispatcher::refuse_stream(Job& job) {
  job.run.permit = StreamPermit::kRefused;
  job.home.on_data_worker = true;
  job.home.in_read_buffer = false;
  books_.jobs_on_data_workers.add(job.requests.count);
  books_.streams_refused.add(job.requests.count);
  loop_.post(std::unique_ptr<Mail>(&job));
  return nullptr;
}

Job* Dispatcher::find_callback(Connection& connection) {
  loop_.assume_held();
  if (connection.life.is_closed()) {
    if (connection.life.is_session_done()) return nullptr;
    if (!connection.life.is_session_open()) {
      connection.life.note_session_done();
      return nullptr;
    }
    Job* const job = make(connection, JobKind::kClose);
    loop_.timers().cancel(connection);
    // on_close must come: without memory it is tried again.
    if (job == nullptr) {
      loop_.timers().arm(connection, time_after(loop_.now(), kRetryMemory));
    } else if (SessionEvents* events = connection.events()) {
      job->event.left = events->take_calls();
    }
    return job;
  }
  if (!connection.life.is_session_open()) {
    return connection.is_shaking() ? nullptr : make_callback(connection, JobKind::kOpen);
  }
  if (connection.life.is_drain_callback_due()) {
    connection.life.note_drain_callback();
    return make_callback(connection, JobKind::kDrain);
  }
  if (!connection.life.is_end_callback_due()) return nullptr;
  connection.life.note_end_callback();
  return make_callback(connection, JobKind::kEnd);
}

// Without memory the connection closes.
Job* Dispatcher::make_callback(Connection& connection, JobKind kind) {
  Job* const job = make(connection, kind);
  if (job == nullptr) ending_.close(connection, CloseReason::kOutOfMemory);
  return job;
}

void Dispatcher::unmake(Job& job) {
  Connection& connection = Connection::of(job);
  connection.running_count -= 1;
  connection.running = job.home.next_running;
  if (connection.running != nullptr) connection.running->home.previous_running = nullptr;
  recycle(job);
}

bool Dispatcher::withdraw(Job& job) {
  if (job.run.kind != JobKind::kRequest || !job.home.on_data_worker) return false;
  if (!job.is_put_aside) return crew_->withdraw(job);
  out_.withdraw(job);
  return true;
}

void Dispatcher::recycle(Job& job) {
  if (job.home.lost_loop) crew_->keep_read_buffer(std::move(job.requests.kept));
  pool_.recycle(job);
}

}}  // namespace trireme
