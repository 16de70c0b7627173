// How a job is made, and where it runs.
#include <algorithm>
#include <utility>

#include "connection/io_worker.h"

namespace trireme { inline namespace v0 {

// Null: there is no memory for one.
Job* IoWorker::make_job_in_loop(Connection& connection, JobKind kind) {
  Job* job = job_pool_.make();
  if (job == nullptr) return nullptr;
  const Listening& listening = *connection.listening;
  job->context = &context_;
  job->service = listening.service.get();
  job->session = connection.session;
  job->codec = connection.decoder.codec();
  job->fixed_envelope = listening.fixed_envelope_of(connection.decoder.codec());
  job->id = connection.id;
  job->job_kind = kind;
  job->close_reason = connection.reason;
  job->owner = &connection;
  job->next_running = connection.running;
  job->service_name = listening.name;
  job->codec_switches = connection.codec_switches();
  connection.callback_out = kind != JobKind::kRequest;
  if (connection.running != nullptr) connection.running->previous_running = job;
  connection.running = job;
  ++connection.running_count;
  return job;
}

// Decides where a job runs. Returns it if that is here and now, with the loop lent.
Job* IoWorker::dispatch_in_loop(Job* job) {
  const Listening& listening = *Connection::of(*job).listening;
  // Without a crew there is no other thread.
  if (crew_ == nullptr || placer_.starts_here(*job, listening.dispatch, listening.index)) {
    loop_.counters.jobs_inline.add(std::max(job->requests_count, 1u));
    placer_.publish(*job, loop_.now());
    return job;
  }
  Connection& connection = Connection::of(*job);
  // A session's callbacks cost nothing: on_close must come however little memory is left.
  const size_t cost = job->job_kind == JobKind::kRequest
                          ? sizeof(Job) + BlockCache::capacity_for(job->request_bytes().size())
                          : 0;
  const bool affords = context_.buffers.charge(cost);
  if (affords) job->charge = Charge(context_.buffers, cost);
  if (!affords || !job_pool_.own_requests(*job)) {
    unmake_job_in_loop(*job);
    close_in_loop(connection, CloseReason::kOutOfMemory);
    return nullptr;
  }
  loop_.counters.jobs_on_data_workers.add(std::max(job->requests_count, 1u));
  if (job->requests_count > 1) jobs_out_.watch(*job, loop_.now());
  jobs_out_.put_aside(*job);
  grant_writing_in_loop(connection, *job);  // last: a send that fails closes, and withdraws the job
  return nullptr;
}

// The job that was made last for its connection, and nobody has seen.
void IoWorker::unmake_job_in_loop(Job& job) {
  Connection& connection = Connection::of(job);
  connection.running_count -= 1;
  connection.running = job.next_running;
  if (connection.running != nullptr) connection.running->previous_running = nullptr;
  recycle_in_loop(job);
}

// A job of requests that nobody waits for any more. True: no thread has come for it, and none will;
// the caller finishes it.
bool IoWorker::withdraw_in_loop(Job& job) {
  if (job.job_kind != JobKind::kRequest || !job.on_data_worker) return false;
  if (!job.is_put_aside) return crew_->withdraw(job);
  jobs_out_.withdraw(job);
  return true;
}

// All requests of the connection that wait for a data worker: none of them will be answered.
void IoWorker::withdraw_all_in_loop(Connection& connection) {
  Job* withdrawn = nullptr;  // oldest first; nobody else sees them any more
  for (Job* job = connection.running; job != nullptr; job = job->next_running) {
    if (withdraw_in_loop(*job)) job->next = std::exchange(withdrawn, job);
  }
  while (withdrawn != nullptr) {
    Job& job = *withdrawn;
    withdrawn = static_cast<Job*>(std::exchange(job.next, nullptr));
    finish_in_loop(job);
  }
}

}}  // namespace trireme
