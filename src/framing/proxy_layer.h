// The PROXY protocol as a transport layer: reads one header, tells who the client is, and is
// transparent from then on.
//
// Step 2. Thread: the holder of the loop.
#pragma once

#include <string>
#include <string_view>

#include "framing/proxy_header.h"
#include "trireme/transport_layer.h"

namespace trireme { inline namespace v0 {

class ProxyLayer final : public TransportLayer {
 public:
  // `sender`: the address of the proxy.
  explicit ProxyLayer(std::string_view sender) : sender_(sender) {}

  LayerState receive(std::string_view& bytes, bool ended, LayerOutput& out) override;
  bool send(std::string_view, std::string&) override { return false; }  // it is never open
  size_t bytes_held() const override { return begun_.capacity(); }
  std::string failure() const override;

 private:
  void tell(ProxyHeader& header, LayerOutput& out) const;

  const std::string sender_;
  std::string begun_;  // of a header that comes in pieces; at most ProxyHeader::kBytesMax
  const char* mistake_ = "";
};

class ProxyLayerFactory final : public LayerFactory {
 public:
  std::string_view name() const override { return "proxy"; }
  std::unique_ptr<TransportLayer> make(std::string_view peer) const override {
    return std::make_unique<ProxyLayer>(peer);
  }
};

}}  // namespace trireme
