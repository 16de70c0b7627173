#include "support/faulty_threads.h"

#include <utility>

#include "runtime/check.h"

namespace trireme { inline namespace v0 {

void FaultyThreads::fail_start(const Fault& fault) {
  CHECK(fault.first >= 1 && fault.times >= 1,
        "a fault begins with start 1 and happens at least once");
  CHECK(fault.error > 0, "a start fails with an errno");
  MutexLock lock(mutex_);
  fault_ = fault;
  planned_ = true;
  seen_ = 0;
}

void FaultyThreads::heal() {
  MutexLock lock(mutex_);
  planned_ = false;
}

uint64_t FaultyThreads::starts() {
  MutexLock lock(mutex_);
  return starts_;
}

uint64_t FaultyThreads::injected() {
  MutexLock lock(mutex_);
  return injected_;
}

std::unique_ptr<Thread> FaultyThreads::start(std::string_view name, std::function<void()> body,
                                             int& error) {
  {
    MutexLock lock(mutex_);
    ++starts_;
    if (planned_ && ++seen_ >= fault_.first && seen_ - fault_.first < fault_.times) {
      ++injected_;
      error = fault_.error;
      return nullptr;
    }
  }
  return inner_.start(name, std::move(body), error);
}

}}  // namespace trireme
