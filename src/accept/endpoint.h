// Step 1: what a URL to listen at means.
//
// Thread: any, before start().
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "runtime/system/kernel.h"
#include "trireme/result.h"

namespace trireme { inline namespace v0 {

// What stands behind the '?' of a URL, over what ListenOptions say.
struct UrlOptions {
  std::optional<int> backlog{};
  std::optional<uint32_t> mode{};
  std::string user{};
  std::string group{};

  bool any() const { return backlog || mode || !user.empty() || !group.empty(); }
};

struct Endpoint {
  enum class Kind : uint8_t {
    kTcp,
    kUnix,        // a path, or an abstract name
    kDescriptor,  // an inherited socket, by its number
    kSystemd,     // inherited sockets, by the name that the service manager gave them
  } kind = Kind::kTcp;
  SocketAddress address{};  // of kTcp and kUnix
  bool every_address =
      false;           // no host was given: IPv6 and IPv4, or IPv4 alone where IPv6 is missing
  std::string zone{};  // of a link-local address: its interface, not looked up yet
  std::string name{};  // of kUnix: the path, or '@' and the name; of kSystemd: empty for all
  int fd = -1;         // of kDescriptor
  UrlOptions options{};

  bool is_inherited() const { return kind == Kind::kDescriptor || kind == Kind::kSystemd; }
  bool has_file() const { return kind == Kind::kUnix && name.front() != '@'; }
};

// "tcp://HOST:PORT" with HOST an IPv4 address, an IPv6 address in brackets, "localhost", or
// nothing. A link-local address (fe80::/10) needs the interface where it holds, by name or number:
// "tcp://[fe80::1%eth0]:7000". Or "unix:/path", "unix:@name", "fd:N", "systemd:NAME", "systemd:".
// Behind a '?': backlog=N and, of a path, mode=660, user=NAME and group=NAME, joined by '&'.
// Layers in its scheme, as in "tcp+proxy://", are passed over (url_layers.h).
Result<Endpoint> parse_endpoint(std::string_view url);

SocketAddress any_ipv4(uint16_t port);
// `name`: a path, or '@' and an abstract name; not empty, at most 107 bytes.
SocketAddress unix_address(const std::string& name);
// The same back; zeros in an abstract name become '@'. Empty for a socket that has none.
std::string unix_name(const SocketAddress& address);
uint16_t port_of(const SocketAddress& address);
void set_scope(SocketAddress& address, uint32_t scope);  // of an IPv6 address

// The URL with its real port, such as "tcp://127.0.0.1:7000". An unspecified address stays "[::]"
// or "0.0.0.0". `zone`: as in Endpoint. Of a unix socket "unix:/path", or "unix:@name".
std::string to_url(const SocketAddress& address, std::string_view zone = {});

}}  // namespace trireme
