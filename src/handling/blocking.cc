#include "trireme/blocking.h"

#include "handling/job.h"
#include "runtime/check.h"

namespace trireme { inline namespace v0 {
namespace {

Job* current_job() {
  CHECK(thread_slot != &loop_code_mark, "loop code must not block: only handlers may wait");
  Outbox* outbox = Outbox::current();
  return outbox != nullptr ? outbox->job : nullptr;
}

}  // namespace

void blocking() {
  if (Job* job = current_job()) job->give_loop_away();
}

bool wait_for(std::chrono::nanoseconds time) {
  Job* job = current_job();
  const Platform& platform = job != nullptr ? job->context->platform : real_platform();
  const TimePoint until = time_after(platform.clock.now(), time);
  if (job == nullptr) {
    platform.threads.sleep_until(until);
    return true;
  }
  job->give_loop_away();
  return job->wait_until(platform.threads, platform.clock, until);
}

}}  // namespace trireme
