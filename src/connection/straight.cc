// The common case in one piece: every request that had arrived is answered in the loop, each with a
// small plain answer, and nothing else is to be done for the connection.
//
// What finish_in_loop, send_in_loop and end_batch_in_loop find out one after the other is asked
// here at once. It matters because the kernel throws our code out of the caches with every call:
// the instructions of a request cost little, the number of places that they are in costs a lot.
#include "connection/io_worker.h"

namespace trireme::inline v0 {

// True: the replies have left, the job is recycled and the turn of the connection is over. False:
// nothing was done.
bool IoWorker::finish_straight_in_loop(Job& job) {
  Connection& connection = *job.connection;
  const bool all_gathered = job.replies_count == job.requests_count && job.replies_bytes > 0 &&
                            job.outbox.mail.empty() && !job.threw && !job.lost_loop &&
                            jobs_free_count_ < kJobsKeptMax;
  const bool nothing_left = &connection == batch_ && batch_input_.empty() &&
                            connection.input == nullptr && out_connection_ == nullptr;
  if (!all_gathered || !nothing_left || connection.running_count != 1 || !connection.is_plain()) {
    return false;
  }
  if (job.kind != nullptr) learn_in_loop(job);
  connection.running = nullptr;
  connection.running_count = 0;
  connection.sequencer.left(job.replies_count);
  loop_.counters.replies.add(job.replies_count);
  const std::string_view replies(job.replies.data(), job.replies_bytes);
  const iovec piece{job.replies.data(), job.replies_bytes};
  const Sent result = loop_.driver().send(connection, std::span(&piece, 1));
  if (result.bytes == replies.size()) {
    connection.last_activity = loop_.now();
    batch_ = nullptr;
    batch_frames_ = 0;
  } else {
    keep_unsent_in_loop(connection, {replies}, result, nullptr);
  }
  job.connection = nullptr;
  keep_job_in_loop(job);  // nothing of the run is in it
  return true;
}

}  // namespace trireme
