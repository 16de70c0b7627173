// Step 1: what a URL to listen at means.
//
// Thread: any, before start().
#pragma once

#include <string>
#include <string_view>

#include "runtime/system/kernel.h"
#include "trireme/result.h"

namespace trireme { inline namespace v0 {

struct Endpoint {
  SocketAddress address;
  bool every_address =
      false;           // no host was given: IPv6 and IPv4, or IPv4 alone where IPv6 is missing
  std::string zone{};  // of a link-local address: its interface, not looked up yet
};

// "tcp://HOST:PORT" with HOST an IPv4 address, an IPv6 address in brackets, "localhost", or
// nothing. A link-local address (fe80::/10) needs the interface where it holds, by name or number:
// "tcp://[fe80::1%eth0]:7000". Layers in its scheme, as in "tcp+proxy://", are passed over
// (url_layers.h).
Result<Endpoint> parse_endpoint(std::string_view url);

SocketAddress any_ipv4(uint16_t port);
uint16_t port_of(const SocketAddress& address);
void set_scope(SocketAddress& address, uint32_t scope);  // of an IPv6 address

// The URL with its real port, such as "tcp://127.0.0.1:7000". An unspecified address stays "[::]"
// or "0.0.0.0". `zone`: as in Endpoint.
std::string to_url(const SocketAddress& address, std::string_view zone = {});

}}  // namespace trireme
