#include "handling/jobs_out.h"

#include <algorithm>

namespace trireme { inline namespace v0 {
namespace {

// How long a finished reply may wait for a later request of its job.
constexpr Duration kGatherTime = std::chrono::milliseconds(1);
constexpr Duration kLookTime = std::chrono::microseconds(16);

}  // namespace

void JobsOut::withdraw(Job& job) {
  Job* const before = std::exchange(job.previous, nullptr);
  Job* const after = static_cast<Job*>(std::exchange(job.next, nullptr));
  if (before != nullptr) {
    before->next = after;
  } else {
    aside_head_ = after;
  }
  (after != nullptr ? after->previous : aside_tail_) = before;
  job.is_put_aside = false;
}

void JobsOut::watch(Job& job, TimePoint now) {
  ++watched_count_;
  // With many of them each is looked at more seldom, so that looking stays a small part of the
  // time.
  job.out.look_at = now + std::max(kGatherTime, watched_count_ * kLookTime);
  job.out.previous = watched_tail_;
  job.out.next = nullptr;
  (watched_tail_ != nullptr ? watched_tail_->out.next : watched_head_) = &job;
  watched_tail_ = &job;
}

void JobsOut::unlink(Job& job) {
  --watched_count_;
  (job.out.previous != nullptr ? job.out.previous->out.next : watched_head_) = job.out.next;
  (job.out.next != nullptr ? job.out.next->out.previous : watched_tail_) = job.out.previous;
  job.out.previous = job.out.next = nullptr;
}

}}  // namespace trireme
