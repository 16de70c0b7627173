// How a job is made, and where it runs.
#include <algorithm>
#include <new>
#include <utility>

#include "connection/io_worker.h"

namespace trireme { inline namespace v0 {

// Null: there is no memory for one.
Job* IoWorker::make_job_in_loop(Connection& connection, JobKind kind) {
  Job* job = jobs_free_;
  if (job != nullptr) {
    jobs_free_ = static_cast<Job*>(job->next);
    --jobs_free_count_;
    job->next = nullptr;
  } else {
    job = new (std::nothrow) Job;
    if (job == nullptr) return nullptr;
  }
  const Listening& listening = *connection.listening;
  // In the order of their places in memory.
  job->number = 0;
  job->lent_by = nullptr;
  job->asked_as = 0;
  job->kind = nullptr;
  job->previous_running = nullptr;
  job->written_bytes = 0;
  job->requests_count = job->requests_run = job->replies_count = job->replies_bytes = 0;
  job->left_count = job->left_bytes = 0;
  job->write_error = 0;
  job->gathers = job->on_data_worker = job->lost_loop = job->timed = false;
  job->cpu_timed = job->reply_taken = job->threw = job->in_read_buffer = false;
  job->core = &core_;
  job->service = listening.service.get();
  job->session = connection.session;
  job->codec = connection.codec;
  job->fixed_envelope = listening.fixed_envelope_of(connection.codec);
  job->id = connection.id;
  job->deadline = kNever;
  job->job_kind = kind;
  job->close_reason = connection.reason;
  job->cancelled.store(0, std::memory_order_relaxed);
  job->run_no_more.store(false, std::memory_order_relaxed);
  job->published.reset();
  job->connection = &connection;
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
  // A loop without reserve starts no handler, for nobody could take the loop from one that blocks;
  // but those of which the user has promised that they do not.
  const Listening& listening = *job->connection->listening;
  bool here = crew_ == nullptr || listening.dispatch == Dispatch::kInline;
  if (!here && listening.dispatch == Dispatch::kAdaptive) {
    Kinds& kinds = *(*kinds_)[listening.index];
    KindRecord& record =
        job->job_kind == JobKind::kRequest ? kinds.of(job->requests[0].kind) : kinds.of_callbacks();
    job->kind = &record;
    if (driver_.loop_may_move) {
      here = (kForceHandOver || !record.on_data_workers()) &&
             (has_reserve.load(std::memory_order_seq_cst) || record.pinned());
    } else {
      here = record.pinned() && !record.on_data_workers();  // nobody can take the loop
    }
    job->timed = !here || record.wants_sample();
    job->cpu_timed = job->timed && record.wants_cpu_sample();
    if (here && driver_.loop_may_move) job->lent_by = this;
  }
  if (here) {
    loop_.counters.jobs_inline.add(std::max(job->requests_count, 1u));
    lent_job = job;
    lent_service.store(job->service_name, std::memory_order_relaxed);
    lent_kind.store(job->reported_kind(), std::memory_order_relaxed);
    lent_id.store(job->id.value, std::memory_order_relaxed);
    lent_since_ns.store(loop_.now().time_since_epoch().count(), std::memory_order_relaxed);
    return job;
  }
  Connection& connection = *job->connection;
  // A session's callbacks cost nothing: on_close must come however little memory is left.
  const size_t cost = job->job_kind == JobKind::kRequest
                          ? sizeof(Job) + BlockCache::capacity_for(job->request_bytes().size())
                          : 0;
  const bool affords = core_.buffers.charge(cost);
  if (affords) job->charge = Charge(core_.buffers, cost);
  if (!affords || !own_requests_in_loop(*job)) {
    unmake_job_in_loop(*job);
    close_in_loop(connection, CloseReason::kOutOfMemory);
    return nullptr;
  }
  loop_.counters.jobs_on_data_workers.add(std::max(job->requests_count, 1u));
  put_aside_in_loop(*job);
  grant_writing_in_loop(connection, *job);  // last: a send that fails closes, and withdraws the job
  return nullptr;
}

// The job that was made last for its connection, and nobody has seen.
void IoWorker::unmake_job_in_loop(Job& job) {
  Connection& connection = *job.connection;
  connection.running_count -= 1;
  connection.running = job.next_running;
  if (connection.running != nullptr) connection.running->previous_running = nullptr;
  recycle_in_loop(job);
}

// For the ready queue, with the others of this turn.
void IoWorker::put_aside_in_loop(Job& job) {
  job.is_put_aside = true;
  job.next = nullptr;
  job.previous = to_workers_tail_;
  if (to_workers_tail_ == nullptr) {
    to_workers_head_ = &job;
  } else {
    to_workers_tail_->next = &job;
  }
  to_workers_tail_ = &job;
}

// A job of requests that nobody waits for any more. True: no thread has come for it, and none will;
// the caller finishes it.
bool IoWorker::withdraw_in_loop(Job& job) {
  if (job.job_kind != JobKind::kRequest || !job.on_data_worker) return false;
  if (!job.is_put_aside) return crew_->withdraw(job);
  Job* const before = std::exchange(job.previous, nullptr);
  Job* const after = static_cast<Job*>(std::exchange(job.next, nullptr));
  if (before != nullptr) {
    before->next = after;
  } else {
    to_workers_head_ = after;
  }
  (after != nullptr ? after->previous : to_workers_tail_) = before;
  job.is_put_aside = false;
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
