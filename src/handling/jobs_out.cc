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
  job.look_at = now + std::max(kGatherTime, watched_count_ * kLookTime);
  job.previous_out = watched_tail_;
  job.next_out = nullptr;
  (watched_tail_ != nullptr ? watched_tail_->next_out : watched_head_) = &job;
  watched_tail_ = &job;
}

void JobsOut::unlink(Job& job) {
  --watched_count_;
  (job.previous_out != nullptr ? job.previous_out->next_out : watched_head_) = job.next_out;
  (job.next_out != nullptr ? job.next_out->previous_out : watched_tail_) = job.previous_out;
  job.previous_out = job.next_out = nullptr;
}

}}  // namespace trireme
