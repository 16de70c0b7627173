#include "handling/layer_workers.h"

#include <string>
#include <utility>

#include "runtime/check.h"

namespace trireme { inline namespace v0 {
namespace {

std::string name_of(uint32_t number) { return "layer-" + std::to_string(number); }

}  // namespace

LayerWorkers::LayerWorkers(ServerContext& context)
    : context_(context),
      platform_(context.platform),
      threads_max_(static_cast<uint32_t>(context.options.layer_workers > 0
                                             ? context.options.layer_workers
                                             : platform_.threads.allowed_cpus())),
      workers_(std::make_unique<Worker[]>(threads_max_)) {
  MutexLock lock(mutex_);
  idle_.reserve(threads_max_);  // who goes idle must not need memory
}

LayerWorkers::~LayerWorkers() {
  MutexLock lock(mutex_);
  CHECK(first_ == nullptr, "a step of a layer was left in its queue");
}

bool LayerWorkers::submit(LayerJob& job) {
  Worker* woken = nullptr;
  Worker* fresh = nullptr;
  uint32_t number = 0;
  {
    MutexLock lock(mutex_);
    if (job.is_first && length_ >= context_.options.layer_steps_max) return false;
    link(job);
    if (!idle_.empty()) {
      woken = idle_.back();
      idle_.pop_back();
    } else if (!starting_ && count_ < threads_max_) {
      starting_ = true;
      number = count_;
      fresh = &workers_[number];
    }
  }
  if (woken != nullptr) platform_.threads.unpark(woken->spot);
  if (fresh != nullptr) start(*fresh, number);
  return true;
}

void LayerWorkers::start(Worker& worker, uint32_t number) {
  int error = 0;
  std::unique_ptr<Thread> thread = platform_.threads.start(
      name_of(number), [this, &worker] { worker_main(worker); }, error);
  LayerJob* unrun = nullptr;
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
  gate_.write(context_.log, LogLevel::kWarning, platform_.clock.now(), [error] {
    return "cannot start a thread for handshakes: errno " + std::to_string(error);
  });
  while (unrun != nullptr) {
    LayerJob* const job = std::exchange(unrun, static_cast<LayerJob*>(unrun->next));
    job->next = nullptr;
    job->previous = nullptr;
    job->is_queued = false;
    job->was_refused = true;
    context_.post(job->id, std::unique_ptr<Mail>(job));
  }
}

bool LayerWorkers::withdraw(LayerJob& job) {
  MutexLock lock(mutex_);
  if (!job.is_queued) return false;
  unlink(job);
  return true;
}

void LayerWorkers::worker_main(Worker& me) {
  // A handshake is no reason to take the CPU from a loop.
  platform_.threads.wait_its_turn();
  while (LayerJob* const job = next(me)) {
    me.running.note(job->service, job->id, platform_.clock.now());
    job->run();
    me.running.clear();
    context_.post(job->id, std::unique_ptr<Mail>(job));
  }
}

// Null: this is the end.
LayerJob* LayerWorkers::next(Worker& me) {
  while (true) {
    {
      MutexLock lock(mutex_);
      if (LayerJob* const job = first_) {
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

void LayerWorkers::link(LayerJob& job) {
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

void LayerWorkers::unlink(LayerJob& job) {
  auto* const after = static_cast<LayerJob*>(job.next);
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

void LayerWorkers::for_each(const std::function<void(const RunningNotes&, std::string)>& told) {
  uint32_t count = 0;
  {
    MutexLock lock(mutex_);
    count = count_;
  }
  for (uint32_t i = 0; i < count; ++i) told(workers_[i].running, name_of(i));
}

// The threads that there are, told to end.
std::vector<Thread*> LayerWorkers::stop() {
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

void LayerWorkers::join() {
  for (Thread* const thread : stop()) thread->join();
}

void LayerWorkers::detach() {
  for (Thread* const thread : stop()) thread->detach();
}

}}  // namespace trireme
