// Step 1: what each failure of accept(2) means.
#pragma once

#include <cerrno>

namespace trireme { inline namespace v0 {

enum class AcceptFailure {
  kNextClient,  // this client is gone; the next one may be waiting
  kPause,       // nothing can be accepted now: wait for something to become free
};

// `error` is positive. Everything that is not known to concern a single client pauses: no failure
// of accept is fatal, and none may spin.
inline AcceptFailure accept_failure(int error) {
  switch (error) {
    case ECONNABORTED:  // reset while it waited in the backlog
    case EPROTO:
      return AcceptFailure::kNextClient;
    default:  // EMFILE, ENFILE, ENOBUFS, ENOMEM, EPERM (firewall), network errors, unknown ones
      return AcceptFailure::kPause;
  }
}

}}  // namespace trireme
