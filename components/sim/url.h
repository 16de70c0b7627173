// URLs of the simulated server, as clients name it.
//
// Step: none, test support. Thread: any.
#pragma once

#include <optional>
#include <string_view>

#include "runtime/system/kernel.h"

namespace trireme { inline namespace v0 { namespace sim {

// "unix:/path", "unix:@name", or "tcp://HOST:PORT"; HOST is an IPv4 address, an IPv6 address in
// brackets, "localhost" or empty, which is the loopback. Nothing for anything else.
std::optional<SocketAddress> address_of_url(std::string_view url);

}}}  // namespace trireme::sim
