#include "trireme/request.h"

#include "handling/cancel_signal.h"
#include "roster/server_context.h"

namespace trireme { inline namespace v0 {

Cancellation Request::cancelled() const { return Cancellation(signal_.reason()); }

std::chrono::nanoseconds Request::time_left() const {
  return time_until(signal_.deadline(), context_->platform.clock);
}

}}  // namespace trireme
