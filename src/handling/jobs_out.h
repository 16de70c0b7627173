// The jobs of one loop that are for data workers: those that are put aside until the end of the
// turn, and those of several requests that are out, with the time when to look what has gathered.
//
// Step 4. Thread: the holder of the loop. Nothing is allocated: the jobs carry the links. A
// connection has a job in here for each of its requests in flight at most.
//
//   put_aside --> take_all (Crew::submit) --> on a data worker --> home
//        '------> withdraw: nobody waits for its replies
//   watch ------> due, look_later ... ------> forget, when it is home or withdrawn
#pragma once

#include <cstdint>
#include <utility>

#include "handling/job.h"

namespace trireme { inline namespace v0 {

class JobsOut {
 public:
  // For the ready queue, behind the others of this turn.
  void put_aside(Job& job) {
    job.is_put_aside = true;
    job.next = nullptr;
    job.previous = aside_tail_;
    if (aside_tail_ == nullptr) {
      aside_head_ = &job;
    } else {
      aside_tail_->next = &job;
    }
    aside_tail_ = &job;
  }
  // One that was put aside and not taken yet (Job::is_put_aside) is the caller's again.
  void withdraw(Job& job);
  bool has_aside() const { return aside_head_ != nullptr; }
  // All of them, oldest first, linked as Crew::submit wants them.
  Job* take_all() {
    aside_tail_ = nullptr;
    return std::exchange(aside_head_, nullptr);
  }

  // A job of several requests goes to a data worker: replies that it has finished must not wait
  // long for its later requests.
  void watch(Job& job, TimePoint now);
  // It is home, or withdrawn. Without effect for one that was never watched.
  void forget(Job& job) {
    if (job.requests.count > 1) unlink(job);
  }
  bool has_watched() const { return watched_head_ != nullptr; }
  // The one that is to be looked at first, if that is now; null: none. The caller then says
  // look_later.
  Job* due(TimePoint now) {
    const bool is_due = watched_head_ != nullptr && watched_head_->out.look_at <= now;
    return is_due ? watched_head_ : nullptr;
  }
  void look_later(Job& job, TimePoint now) {
    unlink(job);
    watch(job, now);
  }
  // When one is due; kNever: none is out.
  TimePoint look_at() const {
    return watched_head_ != nullptr ? watched_head_->out.look_at : kNever;
  }

 private:
  void unlink(Job& job);

  Job* aside_head_ = nullptr;
  Job* aside_tail_ = nullptr;
  Job* watched_head_ = nullptr;  // by Job::Out::look_at
  Job* watched_tail_ = nullptr;
  int64_t watched_count_ = 0;
};

}}  // namespace trireme
