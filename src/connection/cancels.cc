#include "connection/cancels.h"

#include <utility>

#include "connection/dispatcher.h"
#include "connection/replies.h"
#include "connection/turn.h"
#include "runtime/memory/scarce.h"

namespace trireme { inline namespace v0 {

void Cancels::cancel(Job& job, CancelReason reason) {
  job.cancellation.cancel(reason, context_.platform);
  if (auto stop = job.cancellation.take_twin()) add_due(Connection::of(job), std::move(stop));
}

void Cancels::cancel_all(Connection& connection, CancelReason reason) {
  for (Job* job = connection.running; job != nullptr; job = job->home.next_running) {
    cancel(*job, reason);
    job->cancellation.run_no_more();
  }
  if (connection.rare == nullptr) return;
  while (auto stop = connection.rare->kept_stops.pop()) add_due(connection, std::move(stop));
}

void Cancels::cancel_kept(Connection& connection, uint64_t number) {
  if (connection.rare == nullptr) return;
  if (auto stop = connection.rare->kept_stops.take(number)) add_due(connection, std::move(stop));
}

// Without memory for a list nobody is interrupted: handlers end by themselves.
void Cancels::add_due(Connection& connection, std::unique_ptr<Stop> stop) {
  if (!with_memory([&] { connection.make_rare(); })) return;
  connection.rare->stops_due.push(std::move(stop));
  turn_.schedule(connection);
}

void Cancels::keep(Connection& connection, Job& job) {
  std::unique_ptr<Stop> stop = job.cancellation.take_stop();
  const uint64_t number = job.requests.last_run_number();
  const bool is_told = job.cancellation.reason().load(std::memory_order_relaxed) != 0;
  if (is_told || !connection.is_live() || !Replies::is_open(connection, number)) return;
  if (!with_memory([&] { connection.make_rare(); })) return;  // as above
  stop->number = number;
  connection.rare->kept_stops.push(std::move(stop));
}

void Cancels::drop_kept(Connection& connection, uint64_t number) {
  connection.rare->kept_stops.take(number);
  if (connection.rare->is_empty()) connection.rare.reset();
}

Job* Cancels::make(Connection& connection) {
  loop_.assume_held();
  const bool callback_out = connection.life.is_callback_out();
  Job* const job = dispatcher_.make(connection, JobKind::kStop);
  connection.life.note_callback_out(callback_out);
  if (job == nullptr) {
    loop_.timers().arm_no_later(connection, time_after(loop_.now(), kRetryMemory));
    return nullptr;
  }
  job->event.stops = std::move(connection.rare->stops_due);
  if (connection.rare->is_empty()) connection.rare.reset();
  return job;
}

}}  // namespace trireme
