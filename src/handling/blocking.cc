#include "trireme/blocking.h"

#include "handling/job.h"
#include "runtime/check.h"

namespace trireme { inline namespace v0 {
namespace {

Job* current_job() {
  CHECK(thread_slot != &loop_code_mark, "loop code must not block: only handlers may wait");
  Outbox* outbox = Outbox::current();
  return outbox != nullptr ? static_cast<Job*>(outbox->owner) : nullptr;
}

}  // namespace

void blocking() {
  if (Job* job = current_job()) job->loan.give_away();
}

bool wait_for(std::chrono::nanoseconds time) {
  Job* job = current_job();
  const Platform& platform = job != nullptr ? job->run.context->platform : real_platform();
  const TimePoint until = time_after(platform.clock.now(), time);
  if (job == nullptr) {
    platform.threads.sleep_until(until);
    return true;
  }
  job->loan.give_away();
  return job->cancellation.wait_until(platform.threads, platform.clock, until);
}

}}  // namespace trireme
