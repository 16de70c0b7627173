#include "handling/placer.h"

#include <algorithm>

namespace trireme { inline namespace v0 {

void Placer::add_listener(const std::vector<PinnedKind>& pinned) {
  kinds_->push_back(std::make_unique<Kinds>());
  for (const PinnedKind& pin : pinned) kinds_->back()->of(pin.kind).pin(pin.dispatch);
}

// Without a reserve only kinds start here that are pinned to the loop: nobody could take the loop
// from one that blocks, but of these the user has promised that they do not.
bool Placer::place(Job& job, Kinds& kinds) {
  KindRecord& record =
      job.job_kind == JobKind::kRequest ? kinds.of(job.requests[0].kind) : kinds.of_callbacks();
  job.kind = &record;
  bool here = false;
  if (driver_.loop_may_move) {
    here = (kForceHandOver || !record.on_data_workers()) &&
           (held_.has_reserve.load(std::memory_order_seq_cst) || record.pinned());
  } else {
    here = record.pinned() && !record.on_data_workers();  // nobody can take the loop
  }
  job.timed = !here || record.wants_sample();
  job.cpu_timed = job.timed && record.wants_cpu_sample();
  if (here && driver_.loop_may_move) job.lent_by = &held_;
  return here;
}

void Placer::learn_of(Job& job, TimePoint now) {
  Lookout* const lookout = held_.lookout;
  const uint32_t requests = std::max(job.requests_run, 1u);
  if (job.cpu_timed && !job.lost_loop) job.kind->computed(requests, job.time, job.cpu_time);
  if (job.on_data_worker) {
    const bool stays = !job.kind->on_data_workers();
    const bool tells = lookout != nullptr && lookout->works();
    const bool late = job.time >= KindRecord::kLate;  // only then does its price matter
    const Duration price = tells && late ? loss_price_.at(now) : KindRecord::kLateCost;
    job.kind->ran_on_data_worker(requests, job.time, price, now);
    // It comes back because a loss costs little: that is so while somebody looks out.
    const bool returns = !stays && !job.kind->on_data_workers() && job.kind->blocks();
    if (returns && tells) lookout->alert(now);
  } else {
    // The one that lost the loop was noted when it did.
    const uint32_t in_time = job.lost_loop ? requests - 1 : requests;
    job.kind->ran_inline(in_time, job.timed && !job.lost_loop, job.time, now);
  }
}

void Placer::note_loss(Job& job, TimePoint now) {
  if (job.kind == nullptr) return;
  const Duration price = held_.lost_at_once ? KindRecord::kAtOnceCost : KindRecord::kLateCost;
  if (held_.lost_while_alert) loss_price_.paid(price, now);
  job.kind->was_late(price, now);
}

}}  // namespace trireme
