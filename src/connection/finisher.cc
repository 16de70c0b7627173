#include "connection/finisher.h"

#include <algorithm>
#include <array>
#include <utility>

#include "connection/cancels.h"
#include "connection/ending.h"
#include "connection/object_decoding.h"
#include "connection/pushes.h"
#include "connection/replies.h"
#include "connection/slots.h"
#include "connection/strand.h"
#include "runtime/check.h"

namespace trireme { inline namespace v0 {

// Pushes first, then its reply.
void Finisher::finish(Job& job) {
  parts_.loop.assume_held();
  Connection& connection = Connection::of(job);
  const bool at_once = is_all_there_is(parts_.turn, parts_.sender, connection, job);
  const bool needs_turn = !leaves_nothing(connection, job);
  if (job.home.previous_running != nullptr)
    job.home.previous_running->home.next_running = job.home.next_running;
  if (job.home.next_running != nullptr)
    job.home.next_running->home.previous_running = job.home.previous_running;
  if (connection.running == &job) connection.running = job.home.next_running;
  --connection.running_count;
  if (connection.writer == &job) connection.writer = nullptr;
  if (job.run.threw) parts_.books.handler_exceptions.add();
  if (!job.is_unstarted()) parts_.placer.learn(job, parts_.loop.now());
  if (job.run.kind == JobKind::kRequest) {
    finish_requests(connection, job);
    if (job.cancellation.has_stop()) parts_.cancels.keep(connection, job);
    if (at_once) parts_.sender.flush(connection);
  } else {
    finish_callback(connection, job);
  }
  parts_.dispatcher.recycle(job);
  parts_.pushes.open_deferred(connection);
  if (needs_turn) parts_.turn.schedule(connection);
}

void Finisher::finish_callback(Connection& connection, Job& job) {
  const bool is_spool = job.run.kind == JobKind::kSpool;
  if (is_spool) parts_.objects.note_written(connection, job);
  const bool is_beside = is_spool || job.run.kind == JobKind::kStop;  // a callback may run on
  if (!is_beside) connection.life.note_callback_out(false);
  if (job.outbox.has_mail()) open_outbox(job);
  if (is_beside) return;
  if (job.run.kind == JobKind::kOpen) {
    connection.session = job.run.session;
    connection.life.note_session_open();
    // Until now its client had to wait.
    connection.times.last_activity = parts_.context.platform.clock.now();
    if (!job.run.threw) return;
    connection.life.note_session_done();    // a session that was never made is never closed
    connection.life.note_drain_callback();  // nor told of a drain, or an end
    connection.life.note_end_callback();
    parts_.ending.finish(connection, CloseReason::kClosedByHandler);
  } else if (job.run.kind == JobKind::kClose) {
    connection.session = nullptr;
    connection.life.note_session_done();
  } else if (job.run.kind != JobKind::kEnd && job.run.kind != JobKind::kDrain) {
    parts_.strand.finish(connection, job);
  }
}

// Replies of a job leave in order: those that have gathered, what the last handler pushed, its
// answer.
void Finisher::finish_requests(Connection& connection, Job& job) {
  if (job.home.on_data_worker) parts_.out.forget(job);
  if (OpenRequests::Entry* entry = Replies::find(connection, job.requests.number))
    entry->job = nullptr;
  if (job.requests.has_attached && job.requests.attached.body != nullptr)
    finish_body(connection, job);
  if (job.is_unstarted()) return finish_unstarted(connection, job);
  if (job.cancellation.missed_deadline() && connection.is_live() &&
      Replies::is_open(connection, job.requests.number)) {
    parts_.replies.expire(connection, job.requests.number);
  }
  const bool written = job.direct.was_written();
  job.direct.reset();
  if (written) {
    finish_written(connection, job);  // first: to give back may fail, and close
    return give_back(connection, job);
  }
  give_back(connection, job);
  if (job.outbox.holds_pushes()) return finish_switch(connection, job);
  if (job.outbox.has_mail()) {
    // Only a handler's last act is to answer; another Service may push after it.
    const bool pushed_late = job.replies.count() == job.requests.run && job.replies.count() > 0;
    if (pushed_late) {
      leave_gathered(connection, job, job.replies.all_but_last());
    } else {
      leave_gathered(connection, job, job.replies.all());
    }
    open_outbox(job);
  }
  leave_gathered(connection, job, job.replies.all());
  if (job.outbox.has_answer()) {
    parts_.replies.answer(connection, job.requests.last_run_number(),
                          std::move(job.outbox.answer()));
  } else if (job.replies.count() < job.requests.run) {
    CHECK(job.run.reply_taken, "a handler returned without an answer");
    // It may have been answered before the ones in front of it.
    parts_.replies.leave_held(connection);
  }
}

// The answer comes first: what was sent is for the codec that it switches to.
void Finisher::finish_switch(Connection& connection, Job& job) {
  leave_gathered(connection, job, job.replies.all());
  const uint32_t switches = connection.codec_switches();
  if (job.outbox.has_answer()) {
    parts_.replies.answer(connection, job.requests.last_run_number(),
                          std::move(job.outbox.answer()));
  }
  if (connection.is_live() && connection.codec_switches() == switches) {
    parts_.ending.finish(connection, CloseReason::kClosedByHandler);
    connection.life.mute();
  }
  open_outbox(job);
}

// A job that was not started, for nobody waits for its replies any more.
void Finisher::finish_unstarted(Connection& connection, Job& job) {
  job.direct.reset();
  parts_.books.jobs_on_data_workers.subtract(job.requests.count);
  if (!connection.is_live() || !Replies::is_open(connection, job.requests.number)) return;
  if (connection.life.is_muted()) {
    return parts_.replies.answer(connection, job.requests.number, no_answer());
  }
  if (job.run.permit == StreamPermit::kRefused) return refuse_all(connection, job);
  parts_.replies.expire(connection, job.requests.number);
}

// Its handler reads no more; nor does its session, if that has never seen the request.
void Finisher::finish_body(Connection& connection, Job& job) {
  auto& body = static_cast<IncomingBody&>(*job.requests.attached.body);
  if (body.abandon(!job.is_unstarted())) return;
  if (connection.codec_state() != nullptr) connection.codec_state()->abandon(body);
  parts_.strand.forget_body(connection, body);
}

void Finisher::refuse_all(Connection& connection, const Job& job) {
  for (uint32_t i = 0; i < job.requests.count && connection.is_live(); ++i)
    parts_.replies.answer(connection, job.requests.number + i, busy());
}

// The replies have left, or a part of them, from the data worker. The books, and the rest.
void Finisher::finish_written(Connection& connection, Job& job) {
  parts_.loop.assume_held();
  const uint32_t replies = job.replies.count() + (job.outbox.has_answer() ? 1 : 0);
  Replies::retire(connection, job.requests.number, replies);
  parts_.books.replies.add(replies);
  parts_.books.direct_writes.add();
  parts_.loop.counters.bytes_out.add(job.direct.bytes());
  if (parts_.ending.close_if_due(connection)) return;
  connection.times.last_activity = parts_.loop.now();
  if (job.direct.error() != 0 && !parts_.sender.note_failure(connection, job.direct.error()))
    return;
  Envelope envelope;
  DirectWrite::Pieces rest;
  if (!job.pieces(envelope, rest)) {  // the worker had one
    parts_.ending.fail_codec(connection, "its envelope for one answer has changed");
    return connection.life.mute();
  }
  size_t sent = job.direct.bytes();
  for (std::string_view& piece : rest) {
    const size_t gone = std::min(sent, piece.size());
    piece.remove_prefix(gone);
    sent -= gone;
  }
  parts_.sender.send(connection, rest, nullptr);
}

// Sent from within a handler: to its own connection, to others of this loop, to other loops.
void Finisher::open_outbox(Job& job) {
  Connection& connection = Connection::of(job);
  ++connection.running_count;  // what the job has sent is a part of its work, also in an ending
  std::vector<std::unique_ptr<Mail>> all = job.outbox.take_mail();
  for (std::unique_ptr<Mail>& mail : all) {
    const ConnectionId to = static_cast<const ConnectionMail&>(*mail).id;
    if (parts_.context.roster.index_of(to) != parts_.loop.index() || mail->kind == kMailAnswer) {
      // Also to ourselves: an answer to another request waits for the next turn.
      parts_.context.post(to, std::move(mail));
    } else {
      open(std::unique_ptr<ConnectionMail>(static_cast<ConnectionMail*>(mail.release())));
    }
  }
  --connection.running_count;
}

void Finisher::open(std::unique_ptr<ConnectionMail> mail) {
  switch (mail->kind) {
    case kMailPush:
      return parts_.pushes.open(std::unique_ptr<PushMail>(static_cast<PushMail*>(mail.release())));
    case kMailRoom:
    case kMailTimer:
    case kMailCall:
      return parts_.strand.open(std::move(mail));
    default:
      break;
  }
  Connection* const connection = parts_.slots.find(mail->id);
  if (mail->kind == kMailStream) return open_stream(connection, static_cast<StreamMail&>(*mail));
  if (connection == nullptr) return;
  if (mail->kind == kMailAnswer) {
    auto& answer = static_cast<AnswerMail&>(*mail);
    parts_.replies.answer(*connection, answer.request_number, std::move(answer.answer));
    parts_.turn.schedule(*connection);
  } else if (mail->kind == kMailEnd) {
    parts_.ending.end_output(*connection);
  } else if (mail->kind == kMailBody) {
    // Until now it was we who did not read on.
    if (connection->codec_state() != nullptr)
      connection->codec_state()->measure_body(parts_.context.platform.clock.now());
    parts_.turn.schedule(*connection);
  } else {
    CHECK_EQUAL(mail->kind, static_cast<int>(kMailClose), "mail that no connection knows");
    parts_.ending.finish(*connection, CloseReason::kClosedByHandler);
  }
}

// `connection` null: it is gone.
void Finisher::open_stream(Connection* connection, StreamMail& mail) {
  if (connection == nullptr) return parts_.replies.streams().refuse(mail);
  parts_.replies.streams().open(*connection, mail);
  if (!Streams::is_in_midst(*connection)) parts_.pushes.open_deferred(*connection);
  parts_.turn.schedule(*connection);
}

// The requests of a job that it did not start: because it has lost its loop, or because one of them
// left more behind than a plain reply.
void Finisher::give_back(Connection& connection, Job& job) {
  const uint32_t unrun = job.requests.count - job.requests.run;
  if (unrun == 0) {
    const bool all_plain = job.replies.count() == job.requests.run;
    if (all_plain && job.requests.count == connection.reading.requests_a_job) {
      connection.reading.requests_a_job =
          static_cast<uint8_t>(std::min(2u * connection.reading.requests_a_job, JobRequests::kMax));
    }
    return;
  }
  // As many as fitted, if it was the room for replies that has ended the job.
  const bool was_full = job.outbox.has_answer() && !job.run.threw && !job.home.lost_loop &&
                        job.outbox.answer().kind() == Answer::Kind::kBytes;
  connection.reading.requests_a_job = was_full ? static_cast<uint8_t>(job.requests.run) : 1;
  if (!connection.is_live()) return;  // counted when it closed
  connection.sequencer.take_back(unrun);
  parts_.books.requests.subtract(unrun);
  (job.home.on_data_worker ? parts_.books.jobs_on_data_workers : parts_.books.jobs_inline)
      .subtract(unrun);
  if (!connection.life.is_open()) {
    return parts_.books.partial_requests_dropped.add();  // as other input that is not read any more
  }
  // What a codec was switched to begins with the bytes behind the request that switched it.
  const bool same_codec = job.home.codec_switches == connection.codec_switches();
  connection.decoder.go_back_to(same_codec ? job.requests.last_run().after : DecodeState{});
  if (put_back(connection, job)) return;
  parts_.ending.close(connection, CloseReason::kOutOfMemory);
}

// In front of the input that waits. False: there is no memory for it.
bool Finisher::put_back(Connection& connection, Job& job) {
  const char* begin = job.requests.last_run().end;
  const char* end = job.requests.all[job.requests.count - 1].end;
  const std::string_view unrun(begin, static_cast<size_t>(end - begin));
  Turn& turn = parts_.turn;
  if (job.home.in_read_buffer && turn.is_at_hand(connection) && end == turn.received().data()) {
    turn.set_received({begin, unrun.size() + turn.received().size()});
    return true;
  }
  if (connection.input.unconsume(unrun)) return true;
  // They are in the job's own memory, which goes with it.
  if (!connection.input.put_in_front(parts_.input_blocks, unrun, turn.pending(connection))) {
    return false;
  }
  turn.drop_received(connection);
  return true;
}

// The replies up to `part`, less those that have left already.
void Finisher::leave_gathered(Connection& connection, Job& job, GatheredReplies::Part part) {
  if (part.count == job.replies.left_count() || !connection.is_live()) return;
  const uint64_t first = job.requests.number + job.replies.left_count();
  const uint32_t leaving = part.count - job.replies.left_count();
  const std::string_view framed = job.replies.leave(part);
  // The handler's deadline has answered in its place.
  if (!connection.sequencer.is_open(first)) return parts_.books.stale_ids.add(leaving);
  CHECK(connection.sequencer.is_next(first), "serial replies out of order");
  Replies::retire(connection, first, leaving);
  if (connection.drops_reply(first)) return parts_.books.replies_dropped.add(leaving);
  parts_.loop.assume_held();
  connection.note_replied(parts_.loop.now());
  parts_.books.replies.add(leaving);
  parts_.sender.write(connection, framed);
}

void Finisher::leave_early(Job& job, GatheredReplies::Part published) {
  Connection& connection = Connection::of(job);
  if (published.count == job.replies.left_count() || !connection.is_live()) return;
  if (parts_.sender.owns_writing(connection)) leave_gathered(connection, job, published);
}

TimePoint Finisher::look_at_jobs_out() {
  parts_.loop.assume_held();
  const TimePoint now = parts_.loop.now();
  for (int i = 0; i < kLooksATurn; ++i) {
    Job* const job = parts_.out.due(now);
    if (job == nullptr) break;
    leave_early(*job, job->replies.published());
    parts_.out.look_later(*job, now);
  }
  return parts_.out.look_at();
}

bool Finisher::withdraw(Job& job) {
  if (!parts_.dispatcher.withdraw(job)) return false;
  finish(job);
  return true;
}

void Finisher::withdraw_all(Connection& connection) {
  Job* withdrawn = nullptr;  // oldest first; nobody else sees them any more
  for (Job* job = connection.running; job != nullptr; job = job->home.next_running) {
    if (parts_.dispatcher.withdraw(*job)) job->next = std::exchange(withdrawn, job);
  }
  while (withdrawn != nullptr) {
    Job& job = *withdrawn;
    withdrawn = static_cast<Job*>(std::exchange(job.next, nullptr));
    finish(job);
  }
}

}}  // namespace trireme
