#include "connection/life.h"

namespace trireme { inline namespace v0 {
namespace {

// The client is to hear of it, if its protocol has words for that. In a drain it always is.
bool is_said(CloseReason reason) {
  return reason == CloseReason::kClosedByHandler || reason == CloseReason::kIdleTimeout ||
         reason == CloseReason::kSilentTimeout || reason == CloseReason::kRequestTimeout;
}

}  // namespace

bool Life::finish(CloseReason reason) {
  if (!is_open()) return false;
  reason_ = reason;
  stopped_ = true;
  phase_ = Phase::kFinishing;
  return true;
}

bool Life::drain(bool has_session) {
  if (is_draining()) return false;
  drain_ = has_session && is_open() ? Drain::kCallbackDue : Drain::kOn;
  return true;
}

Life::Step Life::step(bool at_work) const {
  if (phase_ == Phase::kDecoded)
    return is_end_callback_due() || stays() ? Step::kWait : Step::kFinish;
  if (!is_finishing() || at_work || is_drain_callback_due() || is_end_callback_due())
    return Step::kWait;
  const bool is_due = drain_ == Drain::kOn || (drain_ == Drain::kNone && is_said(reason_));
  return is_due && !has_output_ended() ? Step::kSayGoodbye : Step::kSendRest;
}

Life::Step Life::step_when_sent(bool all_sent) const {
  if (!is_live() || !all_sent) return Step::kWait;
  return peer_ended_ ? Step::kClose : Step::kLinger;
}

void Life::begin_finishing() {
  reason_ = peer_ended_ ? CloseReason::kPeerClosed : CloseReason::kDrained;
  phase_ = Phase::kFinishing;
}

}}  // namespace trireme
