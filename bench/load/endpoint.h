// Where the server is, and how a client socket to it is made.
#pragma once

#include <netinet/in.h>

#include <optional>
#include <string_view>

namespace bench {

// Only `tcp://A.B.C.D:PORT`: the load stays on this machine, so nothing needs a resolver.
std::optional<sockaddr_in> parse_url(std::string_view url);

enum class Connecting { kWait, kStart };

// A non-blocking socket with TCP_NODELAY, bound to 127.0.0.(1 + source) when `sources` is above 1:
// one source address has 28,000 ports only. kWait returns when connected (at most 10 s), kStart at
// once. -1: failed, errno says why.
int open_client(const sockaddr_in& server, unsigned source, unsigned sources,
                Connecting connecting);

void raise_descriptor_limit();

}  // namespace bench
