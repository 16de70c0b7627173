// Where the jobs of one loop start: on its own thread with the loop lent, or on a data worker.
//
// Step 4. Thread: the holder of the loop. Bounded: one record for each kind of each listener
// (placement.h, which says how a record learns).
//
//   policy    driver               starts here
//   inline    any                  always
//   workers   any                  never
//   adaptive  its loop may move    if its kind is cheap, or pinned to the loop, and there is a
//                                  reserve; if it is pinned to the loop, without a reserve, too
//   adaptive  its loop may not     if its kind is pinned to the loop: nobody could take it
//
// A handler that waits on streams never starts here: it needs a permit, which ReadyJobs gives.
//
// Under `adaptive` it learns from every job that has ended, and from every loss of the loop.
#pragma once

#include <memory>
#include <vector>

#include "handling/crew.h"
#include "handling/job.h"
#include "handling/placement.h"
#include "runtime/drivers/driver.h"
#include "trireme/options.h"

namespace trireme { inline namespace v0 {

class Placer {
 public:
#ifdef TRIREME_FORCE_HANDOVER
  static constexpr bool kForceHandOver = true;
#else
  static constexpr bool kForceHandOver = false;
#endif

  // `held`: the loop whose jobs these are, with its reserve and its lookout; outlives this.
  Placer(HeldLoop& held, Driver::Traits driver)
      : held_(held), driver_(driver), kinds_(std::make_shared<KindTable>()) {}

  // Before start(). The next listener of the server.
  void add_listener(const std::vector<PinnedKind>& pinned);
  // Any thread. Shared with the server, whose statistics outlive the loops.
  std::shared_ptr<const KindTable> kinds() const { return kinds_; }

  // A job of the listener `index`, whose policy is `dispatch`. True: it is to run on this thread,
  // with the loop lent. False: a data worker is to run it.
  [[nodiscard]] bool starts_here(Job& job, Dispatch dispatch, uint32_t index) {
    if (dispatch == Dispatch::kInline) return true;
    return dispatch == Dispatch::kAdaptive && place(job, *(*kinds_)[index]);
  }
  // Before the loop is lent for `job`: what others may know of it.
  void publish(Job& job, TimePoint now) {
    held_.lent_job = &job;
    held_.holder_notes.note_lent(job, now);
  }
  // A job that has ended: what its handlers took.
  void learn(Job& job, TimePoint now) {
    if (job.home.record != nullptr) learn_of(job, now);
  }
  // The job has just lost the loop: what that has cost its clients.
  void note_loss(Job& job, TimePoint now);

 private:
  [[nodiscard]] bool place(Job& job, Kinds& kinds);
  void learn_of(Job& job, TimePoint now);

  HeldLoop& held_;
  const Driver::Traits driver_;
  const std::shared_ptr<KindTable> kinds_;  // what is in it is the holder's
  LossPrice loss_price_;
};

}}  // namespace trireme
