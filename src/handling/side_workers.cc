#include "handling/side_workers.h"

#include <cstdint>
#include <string>
#include <utility>

#include "runtime/check.h"

namespace trireme { inline namespace v0 {

SideWorkers::SideWorkers(ServerContext& context, const Settings& settings)
    : context_(context),
      platform_(context.platform),
      settings_(settings),
      workers_(std::make_unique<Worker[]>(settings.threads_max)) {
  MutexLock lock(mutex_);
  idle_.reserve(settings.threads_max);  // who goes idle must not need memory
}

SideWorkers::~SideWorkers() {
  MutexLock lock(mutex_);
  CHECK(first_ == nullptr, "a job beside the crew was left in its queue");
}

bool SideWorkers::submit(SideJob& job, size_t waiting_max) {
  Worker* woken = nullptr;
  Worker* fresh = nullptr;
  uint32_t number = 0;
  {
    MutexLock lock(mutex_);
    if (length_ >= waiting_max) return false;
    link(job);
    if (!idle_.empty()) {
      woken = idle_.back();
      idle_.pop_back();
    } else if (!starting_ && count_ < settings_.threads_max) {
      starting_ = true;
      number = count_;
      fresh = &workers_[number];
    }
  }
  if (woken != nullptr) platform_.threads.unpark(woken->spot);
  if (fresh != nullptr) start(*fresh, number);
  return true;
}

void SideWorkers::start(Worker& worker, uint32_t number) {
  int error = 0;
  std::unique_ptr<Thread> thread = platform_.threads.start(
      name_of(number), [this, &worker] { worker_main(worker); }, error);
  SideJob* unrun = nullptr;
  {
    MutexLock lock(mutex_);
    starting_ = false;
    if (thread != nullptr) {
      worker.thread = std::move(thread);
      ++count_;
      return;
    }
    if (count_ == 0) {
      unrun = std::exchange(first_, nullptr);
      last_ = nullptr;
      length_ = 0;
    }
  }
  gate_.write(context_.log, LogLevel::kWarning, platform_.clock.now(), [this, error] {
    return std::string("cannot start a thread for ") + settings_.use + ": errno " +
           std::to_string(error);
  });
  while (unrun != nullptr) {
    SideJob* const job = std::exchange(unrun, static_cast<SideJob*>(unrun->next));
    job->next = nullptr;
    job->previous = nullptr;
    job->is_queued = false;
    job->was_refused = true;
    context_.post(job->id, std::unique_ptr<Mail>(job));
  }
}

void SideWorkers::submit(std::unique_ptr<SideJob> job) {
  const bool taken = submit(*job.release(), SIZE_MAX);
  CHECK(taken, "a job that waits in any case was refused");
}

bool SideWorkers::withdraw(SideJob& job) {
  MutexLock lock(mutex_);
  if (!job.is_queued) return false;
  unlink(job);
  return true;
}

void SideWorkers::worker_main(Worker& me) {
  if (settings_.yields) platform_.threads.wait_its_turn();
  while (SideJob* const job = next(me)) {
    me.running.note(job->service, job->id, platform_.clock.now());
    job->run(platform_.kernel);
    me.running.clear();
    context_.post(job->id, std::unique_ptr<Mail>(job));
  }
}

// Null: this is the end.
SideJob* SideWorkers::next(Worker& me) {
  while (true) {
    {
      MutexLock lock(mutex_);
      if (SideJob* const job = first_) {
        unlink(*job);
        return job;
      }
      if (stopping_) return nullptr;
      idle_.push_back(&me);
    }
    // Who wakes it has taken it off the list.
    platform_.threads.park(me.spot, kNever);
  }
}

void SideWorkers::link(SideJob& job) {
  job.next = nullptr;
  job.previous = last_;
  job.is_queued = true;
  if (last_ == nullptr) {
    first_ = &job;
  } else {
    last_->next = &job;
  }
  last_ = &job;
  ++length_;
}

void SideWorkers::unlink(SideJob& job) {
  auto* const after = static_cast<SideJob*>(job.next);
  if (job.previous == nullptr) {
    first_ = after;
  } else {
    job.previous->next = after;
  }
  (after == nullptr ? last_ : after->previous) = job.previous;
  job.next = nullptr;
  job.previous = nullptr;
  job.is_queued = false;
  --length_;
}

void SideWorkers::for_each(const std::function<void(const RunningNotes&, std::string)>& told) {
  uint32_t count = 0;
  {
    MutexLock lock(mutex_);
    count = count_;
  }
  for (uint32_t i = 0; i < count; ++i) told(workers_[i].running, name_of(i));
}

// The threads that there are, told to end.
std::vector<Thread*> SideWorkers::stop() {
  std::vector<Thread*> threads;
  uint32_t count = 0;
  {
    MutexLock lock(mutex_);
    stopping_ = true;
    idle_.clear();
    count = count_;
  }
  for (uint32_t i = 0; i < count; ++i) {
    threads.push_back(workers_[i].thread.get());
    platform_.threads.unpark(workers_[i].spot);
  }
  return threads;
}

void SideWorkers::join() {
  for (Thread* const thread : stop()) thread->join();
}

void SideWorkers::detach() {
  for (Thread* const thread : stop()) thread->detach();
}

}}  // namespace trireme
