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
      listenings_(listenings),
      steps_(context, loop_, *this) {
  const bool publishes = context.roster.listeners_count() == 0;  // the first of its server
  for (const auto& listening : listenings) {
    steps_.placer.add_listener(listening->options.pinned_kinds);
    if (publishes) context.roster.add_listener(listening->facts());
  }
}

IoWorker::~IoWorker() {
  loop_.assume_held();
  CHECK_EQUAL(steps_.slots.taken_count(), 0u, "a connection outlived its I/O worker");
}

void IoWorker::use_crew(Crew* crew) {
  loop_.assume_held();
  crew_ = crew;
  steps_.dispatcher.use_crew(crew);
  steps_.layers.use_workers(&crew->layer_workers());
  steps_.objects.let_handlers_wait();
  steps_.sender.use_disk_workers(&crew->disk_workers());
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
    if (completion.kind == Completion::Kind::kReceived) {
      here = steps_.receiver.receive(static_cast<Connection&>(*completion.channel), completion);
    } else {
      handle_in_loop(completion);
    }
    return true;
  }
  Connection* const connection = steps_.turn.next();
  if (connection == nullptr) return false;
  if (connection->sequencer.holds_next() || connection->streams() != nullptr)
    steps_.replies.leave_held(*connection);
  steps_.sender.go_on(*connection);
  return true;
}

// The next job to run on this thread. Null: the loop has ended, or (without sleep) there is nothing
// to do now.
[[gnu::always_inline]] inline Job* IoWorker::next_in_loop(bool may_sleep) {
  while (true) {
    Job* here = nullptr;
    if (Connection* const connection = steps_.turn.at_hand()) {
      here = steps_.receiver.pump(*connection);
      if (here == nullptr) steps_.receiver.end_turn();
    } else if (!next_of_turn_in_loop(here)) {
      if (finished_in_loop()) {
        drain_line_.stop();
        return nullptr;
      }
      end_turn_in_loop(may_sleep);
      const bool timer_due = loop_.timers().next_wake() <= loop_.now();
      const bool goes_on = may_sleep || timer_due || mail_ != nullptr || steps_.turn.has_listed() ||
                           next_of_turn_in_loop(here);
      if (!goes_on) {
        steps_.sender.flush();
        return nullptr;
      }
    }
    if (here != nullptr) return here;
  }
}

[[gnu::always_inline]] inline void IoWorker::finish_in_loop(Job& job) {
  if (!steps_.fast_path.finish(job)) steps_.finisher.finish(job);
}

// The holder's whole life with this loop. No local here touches loop state: after a failed
// take_back the loop belongs to another thread, and only the job is ours.
HeldLoop::End IoWorker::hold(CrewMember& as) {
  loop_.assume_held();
  holder = &as;
  thread_slot = &loop_code_mark;
  if (lost_job_ != nullptr) {
    Job& lost = *std::exchange(lost_job_, nullptr);
    steps_.placer.note_loss(lost, loop_.now());
    // Replies that it has must not wait for its end.
    steps_.finisher.leave_early(lost, lost_published_);
  }
  steps_.sender.flush();
  while (true) {
    Job* job = next_in_loop(true);
    if (job == nullptr) {
      // The books of buffers are closed with the loop.
      steps_.sender.end();
      steps_.input_blocks.clear();
      loop_.driver().swap_read_buffer(Block());
      loop_.close_mailbox();
      return End::kStopped;
    }
    job->loan.as = loop_.lend();
    if (job->run.timed) {
      job->times.begin(context_.platform, context_.platform.clock.now(), job->run.cpu_timed);
    }
    job->begin();
    do {
      if (Placer::kForceHandOver && job->loan.by != nullptr) crew_->force_take(*this, *job);
      // A handler of `inline` is not late for itself: nobody takes the loop from it.
    } while (job->run_next() && (job->loan.by == nullptr || loop_.relend(job->loan.as)));
    job->end(&loop_code_mark);
    if (job->run.timed) job->times.end(context_.platform, job->run.cpu_timed);
    if (!loop_.take_back(job->loan.as)) {
      loop_.wait_settled(job->loan.as);
      loop_.post(std::unique_ptr<Mail>(job));
      return End::kLost;
    }
    finish_in_loop(*job);
  }
}

// The spare, in TAKEN. The job keeps the memory that its request is in; what is left of the input
// goes on from there, in the connection. Pointers move, nothing is copied.
void IoWorker::rearrange(SpareKit& kit) {
  Job& job = *lent_job;
  Connection& connection = Connection::of(job);
  job.home.lost_loop = true;
  lost_job_ = &job;
  lost_published_ = job.replies.published();
  if (job.run.kind != JobKind::kRequest) return;
  if (!job.home.in_read_buffer) {
    job.requests.kept = connection.input.share();
    return;
  }
  *kit.read_buffer = loop_.driver().swap_read_buffer(std::move(*kit.read_buffer));
  job.requests.kept = kit.read_buffer;
  if (!steps_.turn.received().empty()) {
    CHECK(steps_.turn.is_at_hand(connection), "input of two connections in one buffer");
    connection.input.share(kit.read_buffer, steps_.turn.received());
    steps_.turn.set_received({});
  }
  kit.read_buffer.reset();
}

void IoWorker::turn_until_idle() {
  loop_.assume_held();
  loop_.read_clock();  // time has passed since the last call, and no wait that reads it comes first
  void* const outside = std::exchange(thread_slot, &loop_code_mark);
  while (Job* job = next_in_loop(false)) {
    job->loan.as = loop_.lend();
    job->begin();
    while (job->run_next() && loop_.relend(job->loan.as)) {
    }
    job->end(&loop_code_mark);
    if (!loop_.take_back(job->loan.as)) {
      CHECK(false, "a loop without crew was taken");
      return;
    }
    finish_in_loop(*job);
  }
  thread_slot = outside;
}

void IoWorker::end_turn_in_loop(bool may_sleep) {
  expire_timers_in_loop();
  TimePoint until = steps_.out.has_watched() ? steps_.finisher.look_at_jobs_out() : kNever;
  if (door_ != nullptr) until = std::min(until, door_->resume_in_loop());
  steps_.sender.flush();
  if (steps_.out.has_aside()) crew_->submit(steps_.out.take_all());
  if (crew_ != nullptr && crew_->nudge()) until = std::min(until, loop_.now() + kNudge);
  const bool pressure = context_.buffers.under_pressure();
  if (pressure != small_reads_) {
    small_reads_ = pressure;
    loop_.driver().set_receive_bytes_max(pressure ? kSmallReadBytes : SIZE_MAX);
  }
  using Wait = EventLoop::Wait;
  if (!may_sleep || steps_.turn.has_listed()) {
    loop_.wait(Wait::kNo, until);
  } else {
    loop_.wait(crew_ != nullptr && crew_->may_poll() ? Wait::kPollFirst : Wait::kSleep, until);
  }
  if (lookout != nullptr) lookout->note_turn();
  mail_ = loop_.take_mail();
  steps_.turn.begin();
}

void IoWorker::expire_timers_in_loop() {
  while (Timer* timer = loop_.timers().expire(loop_.now())) {
    if (timer->owner == Timer::Owner::kConnection) {
      steps_.clocks.on_timer(static_cast<Connection&>(*timer));
    } else if (timer->owner == Timer::Owner::kSessionEvents) {
      steps_.strand.on_timer(static_cast<SessionEvents&>(*timer));
    } else {
      drain_line_.on_timer();
    }
  }
}

void IoWorker::open_mail_in_loop() {
  std::unique_ptr<Mail> mail(std::exchange(mail_, mail_->next));
  mail->next = nullptr;
  if (mail_ != nullptr && mail_->kind == kMailJob) static_cast<const Job*>(mail_)->prefetch();
  switch (mail->kind) {
    case kMailJob: {
      auto& job = static_cast<Job&>(*mail.release());
      if (!steps_.fast_path.finish_written(job)) steps_.finisher.finish(job);
      break;
    }
    case kMailLayerJob:
      steps_.receiver.take_back(static_cast<LayerJob&>(*mail));
      break;
    case kMailDiskRead: {
      auto& read = static_cast<DiskRead&>(*mail);
      if (Connection* const connection = steps_.slots.find(read.id))
        steps_.sender.take_back(*connection, read);
      break;
    }
    case kMailAnswer:
    case kMailPush:
    case kMailStream:
    case kMailClose:
    case kMailEnd:
    case kMailRoom:
    case kMailTimer:
    case kMailCall:
    case kMailBody:
      steps_.finisher.open(
          std::unique_ptr<ConnectionMail>(static_cast<ConnectionMail*>(mail.release())));
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
    case Completion::Kind::kWritable:
      steps_.sender.resume(connection);
      break;
    case Completion::Kind::kUnsent:
      steps_.sender.take_back(connection, completion.bytes, completion.result);
      break;
    case Completion::Kind::kClosed:
      connection.life.note_channel_closed();
      // Most have no callback due: no turn more for them.
      steps_.ending.try_release(connection);
      if (!connection.life.is_free()) steps_.turn.schedule(connection);
      break;
    default:
      CHECK(false, "a completion that a connection does not know");
  }
}

void IoWorker::drain_all_in_loop() {
  if (door_ != nullptr) door_->stop_in_loop(!cut_);
  draining_ = true;
  context_.roster.note_draining();
  if (!cut_) return drain_line_.begin(context_.options.drain_time_max);
  drain_line_.stop();
  steps_.slots.for_each_live([this](Connection& connection) {
    loop_.assume_held();
    steps_.ending.close(connection, CloseReason::kDrainCut);
    steps_.turn.schedule(connection);
  });
}

bool IoWorker::finished_in_loop() const {
  return draining_ && steps_.slots.taken_count() == 0 && mail_ == nullptr &&
         (door_ == nullptr || door_->stopped_in_loop());
}

}}  // namespace trireme
