// What the connections of a Tls share, and what is counted of them.
//
// Thread: any.
#pragma once

#include <array>
#include <atomic>
#include <memory>
#include <utility>

#include "runtime/counters.h"
#include "runtime/threads/annotations.h"
#include "runtime/threads/mutex.h"
#include "tls/contexts.h"
#include "tls/ticket_keys.h"
#include "trireme/tls.h"

namespace trireme { inline namespace v0 {

class Tls::Shared {
 public:
  explicit Shared(TlsOptions given) : options(std::move(given)), tickets(options.ticket_time_max) {}

  // Reads all files. What was there before stays if anything is wrong, and so does what another
  // thread has read meanwhile.
  Result<Done> load();
  // For a new connection, which keeps it until its handshake is done.
  std::shared_ptr<const tls::Contexts> contexts() {
    MutexLock lock(mutex_);
    return contexts_;
  }

  struct AlertCounts {
    SharedCounter sent, received;
  };
  const TlsOptions options;
  tls::TicketKeys tickets;
  SharedCounter handshakes, resumed, failed, not_tls, cut, reloads, reloads_failed;
  std::array<AlertCounts, 256> alerts;  // by their codes

 private:
  std::atomic<uint64_t> loads_{0};  // that have begun
  Mutex mutex_;
  uint64_t load_ GUARDED_BY(mutex_) = 0;  // that is in use
  // Owners: this, and connections that shake hands.
  std::shared_ptr<const tls::Contexts> contexts_ GUARDED_BY(mutex_);
};

}}  // namespace trireme
