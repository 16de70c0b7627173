// Step 1: what a URL to listen at means.
//
// Thread: any, before start().
#pragma once

#include <string>
#include <string_view>

#include "runtime/kernel.h"
#include "trireme/result.h"

namespace trireme::inline v0 {

struct Endpoint {
  SocketAddress address;
  bool every_address =
      false;  // no host was given: IPv6 and IPv4, or IPv4 alone where IPv6 is missing
};

// "tcp://HOST:PORT" with HOST an IPv4 address, an IPv6 address in brackets, "localhost", or
// nothing.
Result<Endpoint> parse_endpoint(std::string_view url);

SocketAddress any_ipv4(uint16_t port);
uint16_t port_of(const SocketAddress& address);

// The URL with its real port, such as "tcp://127.0.0.1:7000". An unspecified address stays "[::]"
// or "0.0.0.0".
std::string to_url(const SocketAddress& address);

}  // namespace trireme
