// Several requests of a serial connection in one job: how they come together, how what has not run
// goes back, and how replies leave while a later request still runs.
#include <algorithm>
#include <cstring>
#include <utility>

#include "connection/codec_calls.h"
#include "runtime/check.h"

namespace trireme { inline namespace v0 {

// Adds the requests that have arrived behind the first. Anything else than a request of its kind
// (they start in one place) ends it and is decoded in its turn.
void IoWorker::add_requests_in_loop(Connection& connection, Job& job) {
  if (connection.listening->has_deadline() || core_.buffers.under_pressure()) return;
  const std::string_view input = pending_in_loop(connection);
  const auto left_of_turn = static_cast<uint32_t>(kFramesPerTurn - batch_frames_);
  const uint32_t room = std::min(connection.requests_a_job - job.requests_count, left_of_turn);
  const std::span<DecodedRequest> into = std::span(job.requests).subspan(job.requests_count, room);
  const size_t found = ask_for_requests_in_loop(connection, input, job.requests[0].kind, into);
  if (found == 0) return;
  connection.empty_frames = 0;
  consume_in_loop(connection, static_cast<size_t>(into[found - 1].end - input.data()));
  for (size_t i = 0; i < found; ++i) connection.sequencer.open();
  job.requests_count += static_cast<uint32_t>(found);
  batch_frames_ += static_cast<int>(found);
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
  connection.decode_state = same_codec ? job.requests[job.requests_run - 1].after : DecodeState{};
  if (put_back_in_loop(connection, job)) return;
  close_in_loop(connection, CloseReason::kOutOfMemory);
}

// In front of the input that waits. False: there is no memory for it.
bool IoWorker::put_back_in_loop(Connection& connection, Job& job) {
  const char* begin = job.requests[job.requests_run - 1].end;
  const auto bytes = static_cast<size_t>(job.requests[job.requests_count - 1].end - begin);
  if (job.in_read_buffer && &connection == batch_ && begin + bytes == batch_input_.data()) {
    batch_input_ = {begin, bytes + batch_input_.size()};
    return true;
  }
  Block* block = connection.input.get();
  if (block != nullptr && begin + bytes == block->data() + connection.input_begin) {
    connection.input_begin -= static_cast<uint32_t>(bytes);
    return true;
  }
  // They are in the job's own memory, which goes with it.
  const std::string_view rest = pending_in_loop(connection);
  std::shared_ptr<Block> joined = make_input_in_loop(bytes + rest.size());
  if (joined == nullptr) return false;
  std::memcpy(joined->data(), begin, bytes);
  if (!rest.empty()) std::memcpy(joined->data() + bytes, rest.data(), rest.size());
  if (&connection == batch_) batch_input_ = {};
  connection.input_begin = 0;
  connection.input_end = static_cast<uint32_t>(bytes + rest.size());
  connection.input = std::move(joined);
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
