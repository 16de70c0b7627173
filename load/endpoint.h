// Where the server is, and how a client socket to it is made.
//
// Part of the load engine; any thread.
#pragma once

#include <sys/socket.h>

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

#include "trireme/result.h"

namespace load {

namespace tr = trireme;

struct Endpoint {
  sockaddr_storage address{};
  socklen_t size = 0;
  bool is_tls = false;
  std::string host{};  // as the URL has it; of unix sockets empty

  bool is_tcp() const { return address.ss_family != AF_UNIX; }
  bool is_loopback4() const;  // in 127.0.0.0/8: every address of it may be a source, too
};

// "tcp://HOST:PORT", "tcp://[ADDRESS]:PORT", "unix:/path" or "unix:@abstract"; "tls://HOST:PORT",
// or
// "+tls" behind another scheme, asks for TLS. Blocks while a name is looked up; of its addresses it
// takes the first that accepts a connection within `patience`. The error is of code kUsage where
// the URL is wrong, kSystem where nothing is found.
tr::Result<Endpoint> resolve_url(std::string_view url,
                                 std::chrono::nanoseconds patience = std::chrono::seconds(10));

inline constexpr uint32_t kSourcesMax = 250;  // 127.0.0.1 to 127.0.0.250

struct ClientOptions {
  // Of `sources` above 1, the socket is bound to 127.0.0.(1 + source modulo sources): one source
  // address has 28,000 ports only.
  uint32_t source = 0;
  uint32_t sources = 1;
  std::string_view congestion{};  // a TCP congestion control; empty: the system's. Ends in a zero
};

// A socket that does not block, with TCP_NODELAY, whose connect is under way or done. -1: failed,
// errno says why; EAGAIN from a unix socket means that its backlog is full.
int open_client(const Endpoint& server, const ClientOptions& options = {});
// The same, connected. Blocks at most `patience`.
int open_client_blocking(const Endpoint& server,
                         std::chrono::nanoseconds patience = std::chrono::seconds(10));
// The error of a connect that was under way; 0: connected.
int connect_error(int fd);

// Raises the soft limit of descriptors to the hard one, and returns it.
uint64_t raise_descriptor_limit();

// Nothing, or a sentence: the kernel does not know this congestion control.
std::string check_congestion(const std::string& name);

}  // namespace load
