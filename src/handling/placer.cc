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
  if (job.run.permit != StreamPermit::kNone) return false;  // nothing is learned of who waits
  KindRecord& record =
      job.run.kind == JobKind::kRequest ? kinds.of(job.requests.all[0].kind) : kinds.of_callbacks();
  job.home.record = &record;
  bool here = false;
  if (driver_.loop_may_move) {
    here = (kForceHandOver || !record.on_data_workers()) &&
           (held_.has_reserve.load(std::memory_order_seq_cst) || record.pinned());
  } else {
    here = record.pinned() && !record.on_data_workers();  // nobody can take the loop
  }
  job.run.timed = !here || record.wants_sample();
  job.run.cpu_timed = job.run.timed && record.wants_cpu_sample();
  if (here && driver_.loop_may_move) job.loan.by = &held_;
  return here;
}

void Placer::learn_of(Job& job, TimePoint now) {
  Lookout* const lookout = held_.lookout;
  const uint32_t requests = std::max(job.requests.run, 1u);
  if (job.run.cpu_timed && !job.home.lost_loop)
    job.home.record->computed(requests, job.times.taken, job.times.computed);
  if (job.home.on_data_worker) {
    const bool stays = !job.home.record->on_data_workers();
    const bool tells = lookout != nullptr && lookout->works();
    const bool late = job.times.taken >= KindRecord::kLate;  // only then does its price matter
    const Duration price = tells && late ? loss_price_.at(now) : KindRecord::kLateCost;
    job.home.record->ran_on_data_worker(requests, job.times.taken, price, now);
    // It comes back because a loss costs little: that is so while somebody looks out.
    const bool returns = !stays && !job.home.record->on_data_workers() && job.home.record->blocks();
    if (returns && tells) lookout->alert(now);
  } else {
    // The one that lost the loop was noted when it did.
    const uint32_t in_time = job.home.lost_loop ? requests - 1 : requests;
    job.home.record->ran_inline(in_time, job.run.timed && !job.home.lost_loop, job.times.taken,
                                now);
  }
}

void Placer::note_loss(Job& job, TimePoint now) {
  if (job.home.record == nullptr) return;
  const Duration price = held_.lost_at_once ? KindRecord::kAtOnceCost : KindRecord::kLateCost;
  if (held_.lost_while_alert) loss_price_.paid(price, now);
  job.home.record->was_late(price, now);
}

}}  // namespace trireme
