#include "handling/cancel_signal.h"

#include <algorithm>

namespace trireme { inline namespace v0 {

void CancelSignal::cancel(CancelReason reason, Threads& threads) {
  uint8_t none = 0;
  if (state_.cancelled.compare_exchange_strong(none, static_cast<uint8_t>(reason),
                                               std::memory_order_relaxed)) {
    threads.unpark(spot_);
  }
}

bool CancelSignal::wait_until(Threads& threads, Clock& clock, TimePoint until) {
  while (state_.cancelled.load(std::memory_order_relaxed) == 0) {
    const TimePoint now = clock.now();
    if (has_expired(now)) {
      cancel(CancelReason::kDeadline, threads);
    } else if (now >= until) {
      return true;
    } else {
      threads.park(spot_, std::min(until, deadline_));
    }
  }
  return false;
}

}}  // namespace trireme
