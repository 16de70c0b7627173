#include "connection/io_worker.h"

#include <algorithm>
#include <utility>

#include "runtime/check.h"

namespace trireme { inline namespace v0 {
namespace {

constexpr size_t kSmallReadBytes = 4 << 10;
constexpr Duration kNudge = std::chrono::milliseconds(1);

}  // namespace

IoWorker::IoWorker(ServerContext& context, uint32_t index,
                   const std::vector<std::unique_ptr<Listening>>& listenings)
    : context_(context),
      loop_(context.loop(index)),
      driver_(loop_.driver_traits()),
      listenings_(listenings),
      placer_(*this, driver_),
      job_pool_(context.buffers),
      slots_(context, loop_),
      input_blocks_(context.buffers),
      out_(context.buffers.make_fixed(kOutBytes)) {
  for (const auto& listening : listenings) {
    placer_.add_listener(listening->options.pinned_kinds);
  }
}

IoWorker::~IoWorker() {
  loop_.assume_held();
  CHECK_EQUAL(slots_.taken_count(), 0u, "a connection outlived its I/O worker");
}

// Inlined into hold(), as the next one is, for the reason in runtime/system/real_calls.h.
//
// One step of this turn: a mail, a completion, a connection of the run list. `here`: the job that
// it led to at once, if that is to run on this thread. False: the turn is over.
[[gnu::always_inline]] inline bool IoWorker::next_of_turn_in_loop(Job*& here) {
  if (mail_ != nullptr) {
    open_mail_in_loop();
    return true;
  }
  Completion completion;
  if (loop_.driver().next(completion)) {
    if (!start_straight_in_loop(completion, here)) handle_in_loop(completion);
    return true;
  }
  Connection* const connection = turn_.next();
  if (connection == nullptr) return false;
  if (connection->sequencer.holds_next()) leave_held_in_loop(*connection);
  return true;
}

// The next job to run on this thread. Null: the loop has ended, or (without sleep) there is nothing
// to do now.
[[gnu::always_inline]] inline Job* IoWorker::next_in_loop(bool may_sleep) {
  while (true) {
    Job* here = nullptr;
    if (turn_.at_hand() != nullptr) {
      here = pump_in_loop(*turn_.at_hand());
      if (here == nullptr) end_batch_in_loop();
    } else if (!next_of_turn_in_loop(here)) {
      if (finished_in_loop()) return nullptr;
      end_turn_in_loop(may_sleep);
      const bool timer_due = loop_.timers().next_wake() <= loop_.now();
      const bool goes_on = may_sleep || timer_due || mail_ != nullptr || turn_.has_listed() ||
                           next_of_turn_in_loop(here);
      if (!goes_on) {
        flush_in_loop();
        return nullptr;
      }
    }
    if (here != nullptr) return here;
  }
}

// The holder's whole life with this loop. No local here touches loop state: after a failed
// take_back the loop belongs to another thread, and only the job is ours.
HeldLoop::End IoWorker::hold(void* as) {
  loop_.assume_held();
  holder = as;
  thread_slot = &loop_code_mark;
  if (lost_job_ != nullptr) {
    Job& lost = *std::exchange(lost_job_, nullptr);
    placer_.note_loss(lost, loop_.now());
    leave_early_in_loop(lost, lost_published_);  // replies that it has must not wait for its end
  }
  flush_in_loop();
  while (true) {
    Job* job = next_in_loop(true);
    if (job == nullptr) {
      out_ = Block();  // the books of buffers are closed with the loop
      input_blocks_.clear();
      loop_.driver().swap_read_buffer(Block());
      loop_.close_mailbox();
      return End::kStopped;
    }
    job->lent_as = loop_.lend();
    if (job->timed) job->begin_times(context_.platform, context_.platform.clock.now());
    job->begin();
    do {
      if (Placer::kForceHandOver && job->lent_by != nullptr) crew_->force_take(*this, *job);
      // A handler of `inline` is not late for itself: nobody takes the loop from it.
    } while (job->run_next() && (job->lent_by == nullptr || loop_.relend(job->lent_as)));
    job->end(&loop_code_mark);
    if (job->timed) job->end_times(context_.platform);
    if (!loop_.take_back(job->lent_as)) {
      loop_.wait_settled(job->lent_as);
      loop_.post(std::unique_ptr<Mail>(job));
      return End::kLost;
    }
    if (!finish_straight_in_loop(*job)) finish_in_loop(*job);
  }
}

// The spare, in TAKEN. The job keeps the memory that its request is in; what is left of the input
// goes on from there, in the connection. Pointers move, nothing is copied.
void IoWorker::rearrange(SpareKit& kit) {
  Job& job = *lent_job;
  Connection& connection = Connection::of(job);
  job.lost_loop = true;
  lost_job_ = &job;
  lost_published_ = job.published.read();
  if (job.job_kind != JobKind::kRequest) return;
  if (!job.in_read_buffer) {
    job.kept = connection.input.share();
    return;
  }
  *kit.read_buffer = loop_.driver().swap_read_buffer(std::move(*kit.read_buffer));
  job.kept = kit.read_buffer;
  if (!turn_.received().empty()) {
    CHECK(turn_.is_at_hand(connection), "input of two connections in one buffer");
    connection.input.share(kit.read_buffer, turn_.received());
    turn_.set_received({});
  }
  kit.read_buffer.reset();
}

void IoWorker::turn_until_idle() {
  loop_.assume_held();
  loop_.read_clock();  // time has passed since the last call, and no wait that reads it comes first
  void* const outside = std::exchange(thread_slot, &loop_code_mark);
  while (Job* job = next_in_loop(false)) {
    job->lent_as = loop_.lend();
    job->begin();
    while (job->run_next() && loop_.relend(job->lent_as)) {
    }
    job->end(&loop_code_mark);
    if (!loop_.take_back(job->lent_as)) {
      CHECK(false, "a loop without crew was taken");
      return;
    }
    if (!finish_straight_in_loop(*job)) finish_in_loop(*job);
  }
  thread_slot = outside;
}

void IoWorker::end_turn_in_loop(bool may_sleep) {
  expire_timers_in_loop();
  TimePoint until = jobs_out_.has_watched() ? look_at_jobs_out_in_loop() : kNever;
  if (door_ != nullptr) until = std::min(until, door_->resume_in_loop());
  flush_in_loop();
  if (jobs_out_.has_aside()) crew_->submit(jobs_out_.take_all());
  if (crew_ != nullptr && crew_->nudge()) until = std::min(until, loop_.now() + kNudge);
  const bool pressure = context_.buffers.under_pressure();
  if (pressure != small_reads_) {
    small_reads_ = pressure;
    loop_.driver().set_receive_bytes_max(pressure ? kSmallReadBytes : SIZE_MAX);
  }
  using Wait = EventLoop::Wait;
  if (!may_sleep || turn_.has_listed()) {
    loop_.wait(Wait::kNo, until);
  } else {
    loop_.wait(crew_ != nullptr && crew_->may_poll() ? Wait::kPollFirst : Wait::kSleep, until);
  }
  if (lookout != nullptr) lookout->note_turn();
  mail_ = loop_.take_mail();
  turn_.begin();
}

void IoWorker::open_mail_in_loop() {
  std::unique_ptr<Mail> mail(std::exchange(mail_, mail_->next));
  mail->next = nullptr;
  if (mail_ != nullptr && mail_->kind == kMailJob) static_cast<const Job*>(mail_)->prefetch();
  switch (mail->kind) {
    case kMailJob: {
      auto& job = static_cast<Job&>(*mail.release());
      if (!finish_written_straight_in_loop(job)) finish_in_loop(job);
      break;
    }
    case kMailAnswer: {
      auto& answer = static_cast<AnswerMail&>(*mail);
      if (Connection* connection = slots_.find(answer.id)) {
        answer_in_loop(*connection, answer.request_number, std::move(answer.answer));
        turn_.schedule(*connection);
      }
      break;
    }
    case kMailPush:
      push_in_loop(std::unique_ptr<PushMail>(static_cast<PushMail*>(mail.release())));
      break;
    case kMailClose:
      if (Connection* connection = slots_.find(static_cast<CloseMail&>(*mail).id)) {
        finish_connection_in_loop(*connection, CloseReason::kClosedByHandler);
      }
      break;
    case kMailAdopt:
      adopt_in_loop(static_cast<AdoptMail&>(*mail).fd, static_cast<AdoptMail&>(*mail).listening,
                    static_cast<AdoptMail&>(*mail).peer);
      break;
    case kMailResume:
      if (door_ != nullptr) door_->room_in_loop();
      break;
    case kMailUnlisten:
      if (door_ != nullptr) door_->close_in_loop(static_cast<UnlistenMail&>(*mail).listening);
      break;
    case kMailDrain:
      drain_all_in_loop();
      break;
    case kMailCut:
      cut_ = true;
      drain_all_in_loop();
      break;
    default:
      CHECK(false, "mail that an I/O worker does not know");
  }
}

void IoWorker::handle_in_loop(const Completion& completion) {
  if (completion.channel->role == Channel::Role::kListener) {
    return door_->handle_in_loop(completion);
  }
  auto& connection = static_cast<Connection&>(*completion.channel);
  switch (completion.kind) {
    case Completion::Kind::kReceived:
      on_received_in_loop(connection, completion);
      break;
    case Completion::Kind::kWritable:
      resume_write_in_loop(connection);
      break;
    case Completion::Kind::kUnsent:
      take_back_unsent_in_loop(connection, completion.bytes, completion.result);
      break;
    case Completion::Kind::kClosed:
      connection.channel_closed = true;
      try_release_in_loop(connection);  // most have no callback due: no turn more for them
      if (connection.phase != Connection::Phase::kFree) turn_.schedule(connection);
      break;
    case Completion::Kind::kAcceptable:
    case Completion::Kind::kAccepted:
      CHECK(false, "a connection does not accept");
  }
}

bool IoWorker::finished_in_loop() const {
  return draining_ && slots_.taken_count() == 0 && mail_ == nullptr &&
         (door_ == nullptr || door_->stopped_in_loop());
}

}}  // namespace trireme
