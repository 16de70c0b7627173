// What a connection has become that speaks HTTP no more.
//
// Step 4. Thread: the handler's; calls for one connection come one at a time.
#pragma once

#include <cstdint>
#include <memory>

#include "trireme/close_reason.h"
#include "trireme/detail/service.h"

namespace trireme { inline namespace v0 { namespace http {

class Upgraded {
 public:
  virtual ~Upgraded() = default;
  virtual void on_request(const trireme::Request& request,
                          trireme::detail::Responder& responder) = 0;
  virtual void on_timer(uint64_t tag) = 0;
  virtual void on_writable() = 0;
  virtual void on_drain() = 0;
  virtual void on_close(CloseReason reason) = 0;
};

// The session of a connection, where there are routes that upgrade.
struct ConnectionSession {
  std::unique_ptr<Upgraded> upgraded{};  // null: HTTP
};

}}}  // namespace trireme::http
