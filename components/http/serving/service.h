// Routes as the service of a listener.
//
// Step 4. Thread: the handler's.
#pragma once

#include <memory>

#include "http/serving/core.h"
#include "http/serving/upgraded.h"
#include "trireme/detail/service.h"

namespace trireme { inline namespace v0 { namespace http {

class HttpService final : public trireme::detail::Service {
 public:
  explicit HttpService(std::shared_ptr<const ServingCore> core) : core_(std::move(core)) {}

  // Connections of routes that all answer have no session, and cost no callback.
  bool has_session() const override { return core_->upgrades(); }
  bool concurrent() const override { return !core_->upgrades(); }
  void* open(const Peer& peer) override;
  trireme::detail::SessionTraits session() const override;
  void on_timer(void* session, uint64_t tag) override;
  void on_writable(void* session) override;
  void on_drain(void* session) override;
  void on_close(void* session, CloseReason reason) override;
  void on_request(void* session, const trireme::Request& request,
                  trireme::detail::Responder& responder) override;

 private:
  std::shared_ptr<const ServingCore> core_;  // owners: codec, service, open replies
};

}}}  // namespace trireme::http
