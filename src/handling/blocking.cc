#include "trireme/blocking.h"

#include <poll.h>

#include "handling/job.h"
#include "runtime/check.h"

namespace trireme { inline namespace v0 {
namespace {

Job* current_job() {
  CHECK(thread_slot != &loop_code_mark, "loop code must not block: only handlers may wait");
  Outbox* outbox = Outbox::current();
  return outbox != nullptr ? static_cast<Job*>(outbox->owner) : nullptr;
}

WaitResult wait_ready(int fd, short events, std::chrono::nanoseconds time) {
  Job* const job = current_job();
  const Platform& platform = job != nullptr ? job->run.context->platform : real_platform();
  const TimePoint until = time_after(platform.clock.now(), time);
  if (job == nullptr) {
    CancelSignal nobody;
    return nobody.wait_ready(platform, fd, events, until);
  }
  job->loan.give_away();
  return job->cancellation.wait_ready(platform, fd, events, until);
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
  return job->cancellation.wait_until(platform, until);
}

WaitResult wait_readable(int fd, std::chrono::nanoseconds time) {
  return wait_ready(fd, POLLIN, time);
}

WaitResult wait_writable(int fd, std::chrono::nanoseconds time) {
  return wait_ready(fd, POLLOUT, time);
}

}}  // namespace trireme
