#include "handling/placement.h"

#include <algorithm>
#include <cmath>

namespace trireme { inline namespace v0 {

void KindRecord::ran_inline(uint32_t requests, bool sampled, Duration time, TimePoint now) {
  age(now);
  inline_.add(requests);
  requests_ += static_cast<float>(requests);
  if (!sampled || requests == 0) return;
  sample(requests, std::min(time, kLate));
  if (time > kShort * requests) decide();
}

void KindRecord::was_late(Duration price, TimePoint now) {
  age(now);
  inline_.add();
  late_total_.add();
  requests_ += 1;
  late_ns_ += static_cast<float>(price.count());
  decide();
}

void KindRecord::ran_on_data_worker(uint32_t requests, Duration time, Duration price,
                                    TimePoint now) {
  age(now);
  workers_.add(requests);
  requests_ += static_cast<float>(requests);
  if (time >= kLate) {
    // Of several one at least, and what the others took is not known.
    late_ns_ += static_cast<float>(price.count());
    late_total_.add();
  } else {
    sample(requests, time);
  }
}

void KindRecord::computed(uint32_t requests, Duration time, Duration cpu_time) {
  if (time > kShort * requests) return;  // counts as excess, whatever it does
  short_ns_ += static_cast<float>(time.count());
  waited_ns_ += static_cast<float>(std::max(time - cpu_time, Duration(0)).count());
}

void KindRecord::sample(uint32_t requests, Duration time) {
  time_ns_ += static_cast<float>(time.count());
  samples_ += static_cast<float>(requests);
  const auto excess_ns =
      static_cast<float>(std::max(time - kShort * requests, Duration(0)).count());
  sample_ns_ += excess_ns;
  largest_ns_ = std::max(largest_ns_, excess_ns);
}

void KindRecord::age(TimePoint now) {
  if (now < halved_ + kHalving && halved_ != TimePoint::min()) return;
  // After a pause the sums would vanish; a few halvings let what comes next decide.
  const int64_t periods = halved_ == TimePoint::min() ? 0 : (now - halved_) / kHalving;
  halved_ = now;
  for (int64_t i = 0; i < std::min<int64_t>(periods, 16); ++i) {
    requests_ /= 2, late_ns_ /= 2, samples_ /= 2, sample_ns_ /= 2;
    largest_ns_ /= 2, time_ns_ /= 2, short_ns_ /= 2, waited_ns_ /= 2;
  }
  decide();
}

void KindRecord::decide() {
  if (requests_ <= 0) return;
  float cost = late_ns_ / requests_;
  const float waiting = short_ns_ > 0 ? waited_ns_ / short_ns_ : 0;
  waiting_.store(waiting, std::memory_order_relaxed);
  if (samples_ > 0) {
    const float waits_ns = waiting * std::min(mean_ns(), static_cast<float>(kShort.count()));
    cost += std::max((sample_ns_ - largest_ns_) / samples_, waits_ns);
  }
  cost_ns_.store(static_cast<int64_t>(cost), std::memory_order_relaxed);
  if (pinned_) return;
  const auto hop = static_cast<float>(kHopCost.count());
  const bool there = on_data_workers();
  if (there ? cost < hop / 2 : cost > hop) {
    on_data_workers_.store(!there, std::memory_order_relaxed);
  }
}

void LossPrice::paid(Duration price, TimePoint now) {
  const Duration before = at(now);
  above_least_ = before + (price - before) / 4 - KindRecord::kAtOnceCost;
  since_ = now;
}

Duration LossPrice::at(TimePoint now) const {
  const auto halvings = static_cast<double>((now - since_).count()) / kHalving.count();
  const auto left = static_cast<double>(above_least_.count()) * std::exp2(-halvings);
  return KindRecord::kAtOnceCost + Duration(static_cast<int64_t>(left));
}

}}  // namespace trireme
