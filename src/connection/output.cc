// Steps 5 and 6 of the I/O worker: finished jobs become replies, replies become bytes on the
// socket.
#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

#include "connection/io_worker.h"
#include "runtime/check.h"

namespace trireme { inline namespace v0 {
namespace {

constexpr Duration kRetryWrite =
    std::chrono::milliseconds(10);  // after ENOBUFS, which no event ends
constexpr size_t kSendPieces = 64;

}  // namespace

// What a handler left behind, applied by the holder: pushes first, then its reply. The one end of
// every job, whether it kept its loop, lost it, or ran on a data worker.
void IoWorker::finish_in_loop(Job& job) {
  Connection& connection = Connection::of(job);
  if (job.previous_running != nullptr) job.previous_running->next_running = job.next_running;
  if (job.next_running != nullptr) job.next_running->previous_running = job.previous_running;
  if (connection.running == &job) connection.running = job.next_running;
  --connection.running_count;
  if (connection.writer == &job) connection.writer = nullptr;
  if (job.threw) loop_.counters.handler_exceptions.add();
  if (!job.is_unstarted()) placer_.learn(job, loop_.now());
  if (job.job_kind == JobKind::kRequest) {
    finish_requests_in_loop(connection, job);
  } else {
    connection.callback_out = false;
    if (job.outbox.has_mail()) open_outbox_mail_in_loop(job);
  }
  switch (job.job_kind) {
    case JobKind::kRequest:
      break;
    case JobKind::kOpen:
      connection.session = job.session;
      connection.session_opened = !job.threw;
      connection.last_activity = context_.platform.clock.now();  // until now its client had to wait
      if (job.threw) {
        connection.close_done = true;  // a session that was never made is never closed
        connection.drain_due = false;  // nor told of a drain
        connection.session_opened = true;
        finish_connection_in_loop(connection, CloseReason::kClosedByHandler);
      }
      break;
    case JobKind::kDrain:
      break;
    case JobKind::kClose:
      connection.session = nullptr;
      connection.close_done = true;
      break;
  }
  recycle_in_loop(job);
  if (connection.rare != nullptr) open_deferred_in_loop(connection);
  turn_.schedule(connection);
}

// Replies of a job leave in order: those that have gathered, what the last handler pushed, its
// answer.
void IoWorker::finish_requests_in_loop(Connection& connection, Job& job) {
  if (job.on_data_worker) jobs_out_.forget(job);
  if (Connection::Started* entry = started_in_loop(connection, job.number)) entry->job = nullptr;
  if (job.is_unstarted()) return finish_unstarted_in_loop(connection, job);
  if (job.missed_deadline() && connection.is_live() && connection.sequencer.is_open(job.number)) {
    expire_request_in_loop(connection, job.number);
  }
  const bool written = job.write_token.was_written();
  job.write_token.reset();
  if (written) {
    finish_written_in_loop(connection, job);  // first: to give back may fail, and close
    return give_back_in_loop(connection, job);
  }
  give_back_in_loop(connection, job);
  if (job.outbox.has_mail()) {
    // Only a handler's last act is to answer; another Service may push after it.
    const bool pushed_late = job.replies_count == job.requests_run && job.replies_count > 0;
    if (pushed_late) {
      leave_gathered_in_loop(connection, job, job.replies_count - 1, job.last_reply_begin);
    } else {
      leave_gathered_in_loop(connection, job, job.replies_count, job.replies_bytes);
    }
    open_outbox_mail_in_loop(job);
  }
  leave_gathered_in_loop(connection, job, job.replies_count, job.replies_bytes);
  if (job.outbox.has_answer()) {
    answer_in_loop(connection, job.number + job.requests_run - 1, std::move(job.outbox.answer()));
  } else if (job.replies_count < job.requests_run) {
    CHECK(job.reply_taken, "a handler returned without an answer");
    leave_held_in_loop(connection);  // it may have been answered before the ones in front of it
  }
}

// The replies have left, or a part of them, from the data worker. The books, and the rest.
void IoWorker::finish_written_in_loop(Connection& connection, Job& job) {
  LoopCounters& counters = loop_.counters;
  const uint32_t replies = job.replies_count + (job.outbox.has_answer() ? 1 : 0);
  note_left_in_loop(connection, replies);
  counters.replies.add(replies);
  counters.direct_writes.add();
  counters.bytes_out.add(job.written_bytes);
  if (connection.close_pending) {
    connection.close_pending = false;
    return close_in_loop(connection, connection.reason);
  }
  connection.last_activity = loop_.now();
  if (job.write_error != 0 && !send_failed_in_loop(connection, job.write_error)) return;
  Envelope envelope;
  std::array<std::string_view, 4> rest;
  if (!job.pieces(envelope, rest)) {  // the worker had one
    connection.replies_ended = true;
    return codec_failed_in_loop(connection, "its envelope for one answer has changed");
  }
  size_t sent = job.written_bytes;
  for (std::string_view& piece : rest) {
    const size_t gone = std::min(sent, piece.size());
    piece.remove_prefix(gone);
    sent -= gone;
  }
  send_in_loop(connection, rest, nullptr);
}

// True if the loop may write to this connection now. False: a data worker is writing, and its job
// comes home soon.
bool IoWorker::owns_writing_in_loop(Connection& connection) {
  if (connection.writer == nullptr) return true;
  if (!connection.writer->write_token.revoke()) {
    connection.writer->return_flag->await();
    return false;
  }
  connection.writer = nullptr;
  return true;
}

// Lends the send direction to a job for a data worker, if the loop will not need it before the job
// is back.
void IoWorker::grant_writing_in_loop(Connection& connection, Job& job) {
  if (job.job_kind != JobKind::kRequest || connection.listening->pipelined() || connection.draining)
    return;
  if (!driver_.worker_may_write) return;
  if (out_connection_ == &connection) flush_in_loop();
  settle_in_loop(connection);
  if (!connection.is_live() || !connection.out.empty()) return;
  job.fd = connection.fd;
  job.return_flag = &context_.roster.record(loop_.index(), connection.id.slot()).return_flag;
  job.return_flag->reset();
  job.write_token.grant();
  connection.writer = &job;
}

void IoWorker::recycle_in_loop(Job& job) {
  if (job.lost_loop) crew_->keep_read_buffer(std::move(job.kept));
  job_pool_.recycle(job);
}

// Sent from within a handler: to its own connection, to others of this loop, to other loops.
void IoWorker::open_outbox_mail_in_loop(Job& job) {
  std::vector<std::unique_ptr<Mail>> all = job.outbox.take_mail();
  for (std::unique_ptr<Mail>& mail : all) {
    ConnectionId to;
    if (mail->kind == kMailPush) to = static_cast<PushMail&>(*mail).id;
    if (mail->kind == kMailClose) to = static_cast<CloseMail&>(*mail).id;
    if (mail->kind == kMailAnswer) to = static_cast<AnswerMail&>(*mail).id;
    if (context_.roster.index_of(to) != loop_.index() || mail->kind == kMailAnswer) {
      context_.post(
          to,
          std::move(
              mail));  // also to ourselves: an answer to another request waits for the next turn
    } else if (mail->kind == kMailPush) {
      push_in_loop(std::unique_ptr<PushMail>(static_cast<PushMail*>(mail.release())));
    } else if (Connection* connection = slots_.find(to)) {
      finish_connection_in_loop(*connection, CloseReason::kClosedByHandler);
    }
  }
}

// Small answers are gathered, so that the replies of a turn leave in one send; large ones leave
// from where they are. False: the codec has made a mistake, and the answer is dropped.
bool IoWorker::write_framed_in_loop(Connection& connection, Answer& answer) {
  const std::string_view body = answer.text();
  Envelope envelope;
  if (!ask_envelope_in_loop(connection, body.size(), envelope)) return false;
  const std::string_view head(envelope.head.data(), envelope.head_bytes);
  const std::string_view tail(envelope.tail.data(), envelope.tail_bytes);
  if (body.size() <= kCopyBytesMax) {
    write_in_loop(connection, head);
    write_in_loop(connection, body);
    write_in_loop(connection, tail);
    return true;
  }
  if (out_connection_ != &connection) flush_in_loop();
  const std::string_view gathered(out_.data(), std::exchange(out_bytes_, 0));
  out_connection_ = nullptr;
  send_in_loop(connection, {gathered, head, body, tail}, &answer);
  return true;
}

void IoWorker::write_in_loop(Connection& connection, std::string_view bytes) {
  if (bytes.empty()) return;
  if (out_connection_ != &connection || out_bytes_ + bytes.size() > out_.capacity())
    flush_in_loop();
  if (!connection.is_live()) return;  // the flush has found it dead
  if (bytes.size() > out_.capacity()) return send_in_loop(connection, {bytes, {}, {}, {}}, nullptr);
  out_connection_ = &connection;
  std::memcpy(out_.data() + out_bytes_, bytes.data(), bytes.size());
  out_bytes_ += bytes.size();
}

void IoWorker::flush_in_loop() {
  if (out_connection_ == nullptr) return;
  Connection& connection = *std::exchange(out_connection_, nullptr);
  const std::string_view gathered(out_.data(), std::exchange(out_bytes_, 0));
  if (connection.is_live()) send_in_loop(connection, {gathered, {}, {}, {}}, nullptr);
}

// Sends pieces in order; what the socket does not take goes to the write queue. `owner`: the answer
// whose bytes are piece 2, moved instead of copied if it owns them.
void IoWorker::send_in_loop(Connection& connection, std::array<std::string_view, 4> pieces,
                            Answer* owner) {
  Sent result;
  if (connection.out.empty()) {
    std::array<iovec, 4> vectors;
    size_t count = 0, total = 0;
    for (const std::string_view piece : pieces) {
      if (piece.empty()) continue;
      vectors[count++] = {const_cast<char*>(piece.data()), piece.size()};
      total += piece.size();
    }
    if (count == 0) return;
    result = loop_.driver().send(connection, std::span(vectors).first(count));
    if (result.bytes == total) {  // the queue is as empty as it was: no watermark is crossed
      connection.last_activity = loop_.now();
      return;
    }
  }
  keep_unsent_in_loop(connection, pieces, result, owner);
}

// The pieces less what the socket took of them go to the write queue, if it was not for good.
void IoWorker::keep_unsent_in_loop(Connection& connection,
                                   const std::array<std::string_view, 4>& pieces, Sent result,
                                   Answer* owner) {
  if (result.error != 0 && !send_failed_in_loop(connection, result.error)) return;
  if (result.bytes > 0) connection.last_activity = loop_.now();
  const bool was_empty = connection.out.empty();
  size_t sent = result.bytes;
  for (size_t i = 0; i < pieces.size(); ++i) {
    const size_t skip = std::min(sent, pieces[i].size());
    sent -= skip;
    const std::string_view rest = pieces[i].substr(skip);
    if (rest.empty()) continue;
    if (i == 2 && owner != nullptr && owner->is_owned()) {
      if (context_.buffers.charge(pieces[i].size()) &&
          connection.out.append(ChargedBytes(std::move(*owner).take_owned(), context_.buffers),
                                skip, false)) {
        continue;
      }
    } else if (connection.out.append(context_.buffers, rest)) {
      continue;
    }
    return close_in_loop(connection, CloseReason::kOutOfMemory);
  }
  if (was_empty) connection.out.note_progress(context_.platform.clock.now());
  after_write_in_loop(connection);
}

// True if the connection lives on: the kernel is out of memory for a moment.
bool IoWorker::send_failed_in_loop(Connection& connection, int error) {
  if (error == -ENOBUFS || error == -ENOMEM) {
    const TimePoint again = loop_.now() + kRetryWrite;
    connection.out.set_retry_at(again);
    loop_.timers().arm_no_later(connection, again);
    return true;
  }
  close_in_loop(connection, CloseReason::kReset);
  return false;
}

// Nothing is with the driver any more: it is the socket's, or in the write queue.
void IoWorker::settle_in_loop(Connection& connection) {
  if (!driver_.gathers_sends || !connection.is_live()) return;
  const Unsent unsent = loop_.driver().settle(connection);
  if (!unsent.bytes.empty()) take_back_unsent_in_loop(connection, unsent.bytes, unsent.error);
}

void IoWorker::take_back_unsent_in_loop(Connection& connection, std::span<const char> bytes,
                                        int error) {
  if (!connection.is_live()) return;
  if (error != 0 && !send_failed_in_loop(connection, error)) return;
  const bool was_empty = connection.out.empty();
  if (!connection.out.prepend(context_.buffers, bytes))
    return close_in_loop(connection, CloseReason::kOutOfMemory);
  if (was_empty) connection.out.note_progress(context_.platform.clock.now());
  after_write_in_loop(connection);
}

// Sends at once: what it says was sent is the socket's, whatever the driver gathers. Nothing of the
// connection is with the driver.
Sent IoWorker::send_settled_in_loop(Connection& connection, std::span<const iovec> pieces) {
  Sent result = loop_.driver().send(connection, pieces);
  if (!driver_.gathers_sends || result.error != 0) return result;
  const Unsent unsent = loop_.driver().settle(connection);
  return {.bytes = result.bytes - unsent.bytes.size(), .error = unsent.error};
}

void IoWorker::resume_write_in_loop(Connection& connection) {
  std::array<iovec, kSendPieces> vectors;
  settle_in_loop(connection);
  while (connection.is_live() && !connection.out.empty()) {
    const size_t count = connection.out.front(vectors);
    size_t total = 0;
    for (size_t i = 0; i < count; ++i) total += vectors[i].iov_len;
    const Sent result = send_settled_in_loop(connection, std::span(vectors).first(count));
    if (result.error != 0 && !send_failed_in_loop(connection, result.error)) return;
    connection.out.pop(result.bytes);
    if (result.bytes > 0) {
      connection.last_activity = context_.platform.clock.now();
      connection.out.note_progress(connection.last_activity);
    }
    if (result.bytes < total) break;
  }
  if (!connection.is_live()) return;
  after_write_in_loop(connection);
  turn_.schedule(connection);
}

// Watermarks, and what other threads may know of the queue.
void IoWorker::after_write_in_loop(Connection& connection) {
  const Limits& limits = connection.listening->options.limits;
  const size_t unsent = connection.out.bytes();
  const auto published = static_cast<uint32_t>(std::min<size_t>(unsent, UINT32_MAX));
  SlotRecord& record = context_.roster.record(loop_.index(), connection.id.slot());
  if (record.unsent_bytes.load(std::memory_order_relaxed) != published) {
    record.unsent_bytes.store(published, std::memory_order_relaxed);
  }
  if (unsent > limits.write_bytes_high) {
    connection.write_blocked = true;
  } else if (unsent <= limits.write_bytes_low) {
    connection.write_blocked = false;
  }
  if (unsent > 0) arm_in_loop(connection);
}

}}  // namespace trireme
