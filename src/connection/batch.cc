// Several requests of a serial connection in one job: how they come together, how what has not run
// goes back, and how replies leave while a later request still runs.
#include <algorithm>
#include <cstring>
#include <utility>

#include "connection/io_worker.h"
#include "runtime/check.h"

namespace trireme { inline namespace v0 {

// Adds the requests that have arrived behind the first. Anything else than a request of its kind
// (they start in one place) ends it and is decoded in its turn.
void IoWorker::add_requests_in_loop(Connection& connection, Job& job) {
  if (connection.listening->has_deadline() || context_.buffers.under_pressure()) return;
  const std::string_view input = turn_.pending(connection);
  const uint32_t room =
      std::min(connection.requests_a_job - job.requests_count, turn_.frames_left());
  const std::span<DecodedRequest> into = std::span(job.requests).subspan(job.requests_count, room);
  const size_t found = connection.decoder.decode_requests(connection.listening->frame_rules, input,
                                                          connection.input_ended,
                                                          job.requests[0].kind, into, notes_);
  if (found == 0) {
    if (!notes_.mistake.empty()) codec_failed_in_loop(connection);
    return;
  }
  turn_.consume(connection, static_cast<size_t>(into[found - 1].end - input.data()));
  for (size_t i = 0; i < found; ++i) connection.sequencer.open();
  job.requests_count += static_cast<uint32_t>(found);
  turn_.count_frames(static_cast<uint32_t>(found));
  loop_.counters.requests.add(found);
}

// The requests of a job that it did not start: because it has lost its loop, or because one of them
// left more behind than a plain reply.
void IoWorker::give_back_in_loop(Connection& connection, Job& job) {
  const uint32_t unrun = job.requests_count - job.requests_run;
  if (unrun == 0) {
    const bool all_plain = job.replies_count == job.requests_run;
    if (all_plain && job.requests_count == connection.requests_a_job) {
      connection.requests_a_job =
          static_cast<uint8_t>(std::min(2u * connection.requests_a_job, Job::kRequestsMax));
    }
    return;
  }
  // As many as fitted, if it was the room for replies that has ended the job.
  const bool was_full = job.outbox.has_answer() && !job.threw && !job.lost_loop &&
                        job.outbox.answer().kind() == Answer::Kind::kBytes;
  connection.requests_a_job = was_full ? static_cast<uint8_t>(job.requests_run) : 1;
  if (!connection.is_live()) return;  // counted when it closed
  LoopCounters& counters = loop_.counters;
  connection.sequencer.take_back(unrun);
  counters.requests.subtract(unrun);
  (job.on_data_worker ? counters.jobs_on_data_workers : counters.jobs_inline).subtract(unrun);
  if (connection.phase != Connection::Phase::kOpen) {
    return counters.partial_requests_dropped.add();  // as other input that is not read any more
  }
  // What a codec was switched to begins with the bytes behind the request that switched it.
  const bool same_codec = job.codec_switches == connection.codec_switches();
  connection.decoder.go_back_to(same_codec ? job.requests[job.requests_run - 1].after
                                           : DecodeState{});
  if (put_back_in_loop(connection, job)) return;
  close_in_loop(connection, CloseReason::kOutOfMemory);
}

// In front of the input that waits. False: there is no memory for it.
bool IoWorker::put_back_in_loop(Connection& connection, Job& job) {
  const char* begin = job.requests[job.requests_run - 1].end;
  const std::string_view unrun(
      begin, static_cast<size_t>(job.requests[job.requests_count - 1].end - begin));
  const std::string_view received = turn_.received();
  if (job.in_read_buffer && turn_.is_at_hand(connection) &&
      begin + unrun.size() == received.data()) {
    turn_.set_received({begin, unrun.size() + received.size()});
    return true;
  }
  if (connection.input.unconsume(unrun)) return true;
  // They are in the job's own memory, which goes with it.
  if (!connection.input.put_in_front(input_blocks_, unrun, turn_.pending(connection))) return false;
  turn_.drop_received(connection);
  return true;
}

// The first `count` replies, `bytes` in all, less those that have left already.
void IoWorker::leave_gathered_in_loop(Connection& connection, Job& job, uint32_t count,
                                      uint32_t bytes) {
  if (count == job.left_count || !connection.is_live()) return;
  const uint64_t first = job.number + job.left_count;
  const uint32_t leaving = count - job.left_count;
  const std::string_view framed(job.replies.data() + job.left_bytes, bytes - job.left_bytes);
  job.left_count = count;
  job.left_bytes = bytes;
  // The handler's deadline has answered in its place.
  if (!connection.sequencer.is_open(first)) return loop_.counters.stale_ids.add(leaving);
  CHECK(connection.sequencer.is_next(first), "serial replies out of order");
  note_left_in_loop(connection, leaving);
  loop_.counters.replies.add(leaving);
  write_in_loop(connection, framed);
}

// While the job still runs, on a thread that is not ours.
void IoWorker::leave_early_in_loop(Job& job, uint64_t published) {
  Connection& connection = Connection::of(job);
  const uint32_t count = PublishedReplies::count(published);
  if (count == job.left_count || !connection.is_live() || !owns_writing_in_loop(connection)) return;
  leave_gathered_in_loop(connection, job, count, PublishedReplies::bytes(published));
}

// Sends what has gathered in jobs that are out for long. Returns when to look again.
TimePoint IoWorker::look_at_jobs_out_in_loop() {
  constexpr int kJobsATurn = 64;
  for (int i = 0; i < kJobsATurn; ++i) {
    Job* const job = jobs_out_.due(loop_.now());
    if (job == nullptr) break;
    leave_early_in_loop(*job, job->published.read());
    jobs_out_.look_later(*job, loop_.now());
  }
  return jobs_out_.look_at();
}

}}  // namespace trireme
