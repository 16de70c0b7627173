// From a request, or a callback that is due, to a job that runs: makes jobs, and hands them to the
// place where they start.
//
// Step 4. Thread: the holder of the loop. Where a job starts is said by the Placer; what waits for
// a data worker is in JobsOut. Bounded: in_flight_max jobs of requests a connection, one callback;
// a job for a data worker is charged to the budget.
#pragma once

#include "connection/connection.h"
#include "handling/crew.h"
#include "handling/job_pool.h"
#include "handling/jobs_out.h"
#include "handling/placer.h"
#include "roster/server_context.h"

namespace trireme { inline namespace v0 {

class Ending;
class Sender;

class Dispatcher {
 public:
  Dispatcher(ServerContext& context, EventLoop& loop, Placer& placer, JobPool& pool, JobsOut& out,
             Sender& sender, Ending& ending)
      : context_(context),
        loop_(loop),
        books_(context.books(loop.index())),
        placer_(placer),
        pool_(pool),
        out_(out),
        sender_(sender),
        ending_(ending) {}

  // Before start().
  void use_crew(Crew* crew) { crew_ = crew; }

  // Null: there is no memory for one.
  Job* make(Connection& connection, JobKind kind) {
    Job* const job = pool_.make();
    if (job != nullptr) fill(*job, connection, kind);
    return job;
  }
  // Decides where a job runs. Returns it if that is here and now, with the loop lent. Null: it is
  // put aside for a data worker, or there is no memory for that, and the connection is closed.
  Job* dispatch(Job& job);
  // A job that a data worker is to run, whatever the policy.
  void send_away(Job& job) { put_aside(job); }
  // A callback of the session that is due: on_open, on_close, on_drain, on_end. One thing at a time
  // runs for a session. Null: none is due, or there is no memory for one.
  Job* next_callback(Connection& connection) {
    if (!connection.listening->has_session || connection.running_count > 0) return nullptr;
    return find_callback(connection);
  }

  // The job that was made last for its connection, and nobody has seen.
  void unmake(Job& job);
  // A job that waits for a data worker, of requests that nobody waits for any more. True: no thread
  // has come for it, and none will; the caller finishes it.
  [[nodiscard]] bool withdraw(Job& job);
  // A job that is finished.
  void recycle(Job& job);

 private:
  void fill(Job& job, Connection& connection, JobKind kind) {
    const Listening& listening = *connection.listening;
    job.run.context = &context_;
    job.run.service = listening.service.get();
    job.run.session = connection.session;
    job.run.codec = connection.decoder.codec();
    job.run.envelopes = &listening.envelopes_of(connection.decoder.codec());
    job.run.id = connection.id;
    job.run.kind = kind;
    job.run.close_reason = connection.life.reason();
    job.home.owner = &connection;
    job.home.next_running = connection.running;
    job.home.service_name = listening.name;
    job.home.codec_switches = connection.codec_switches();
    connection.life.note_callback_out(kind != JobKind::kRequest);
    if (connection.running != nullptr) connection.running->home.previous_running = &job;
    connection.running = &job;
    ++connection.running_count;
  }
  Job* find_callback(Connection& connection);
  Job* make_callback(Connection& connection, JobKind kind);
  Job* put_aside(Job& job);
  Job* refuse_stream(Job& job);

  ServerContext& context_;
  EventLoop& loop_;
  Books& books_;
  Placer& placer_;
  JobPool& pool_;
  JobsOut& out_;
  Sender& sender_;
  Ending& ending_;
  Crew* crew_ = nullptr;  // null: there is no other thread
};

inline Job* Dispatcher::dispatch(Job& job) {
  loop_.assume_held();
  const Listening& listening = *Connection::of(job).listening;
  if (crew_ != nullptr && !placer_.starts_here(job, listening.dispatch, listening.index)) {
    return put_aside(job);
  }
  books_.jobs_inline.add(std::max(job.requests.count, 1u));
  placer_.publish(job, loop_.now());
  return &job;
}

}}  // namespace trireme
