// Loopback and unix addresses for tests, and what the simulated network reads out of an address.
//
// Step: none, test support. Thread: any.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/un.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>

#include "runtime/system/kernel.h"

namespace trireme { inline namespace v0 { namespace sim {

// `host` in host order. 127.0.0.1 when left out.
inline SocketAddress ipv4_address(uint16_t port, uint32_t host = INADDR_LOOPBACK) {
  sockaddr_in in{};
  in.sin_family = AF_INET;
  in.sin_port = htons(port);
  in.sin_addr.s_addr = htonl(host);
  SocketAddress address;
  std::memcpy(&address.storage, &in, sizeof(in));
  address.size = sizeof(in);
  return address;
}

inline SocketAddress ipv6_address(uint16_t port, const in6_addr& host = in6addr_loopback) {
  sockaddr_in6 in{};
  in.sin6_family = AF_INET6;
  in.sin6_port = htons(port);
  in.sin6_addr = host;
  SocketAddress address;
  std::memcpy(&address.storage, &in, sizeof(in));
  address.size = sizeof(in);
  return address;
}

// `name`: a path, or '@' and an abstract name.
inline SocketAddress unix_address(const std::string& name) {
  sockaddr_un un{};
  un.sun_family = AF_UNIX;
  std::memcpy(un.sun_path, name.data(), std::min(name.size(), sizeof(un.sun_path)));
  const bool is_abstract = name.starts_with('@');
  if (is_abstract) un.sun_path[0] = '\0';
  SocketAddress address;
  std::memcpy(&address.storage, &un, sizeof(un));
  const size_t bytes = offsetof(sockaddr_un, sun_path) + name.size() + (is_abstract ? 0 : 1);
  address.size = static_cast<socklen_t>(std::min(bytes, sizeof(un)));
  return address;
}

// The same back; empty for a socket that has no name.
inline std::string unix_name(const SocketAddress& address) {
  constexpr size_t kHead = offsetof(sockaddr_un, sun_path);
  if (address.size <= kHead) return {};
  std::string name(reinterpret_cast<const char*>(&address.storage) + kHead, address.size - kHead);
  if (name.front() != '\0') return name.substr(0, name.find('\0'));
  name.front() = '@';
  return name;
}

inline uint16_t port_of(const SocketAddress& address) {
  // The port has the same place in both families.
  sockaddr_in in{};
  std::memcpy(&in, &address.storage, sizeof(in));
  return ntohs(in.sin_port);
}

// An address reduced to what routing needs.
struct Host {
  bool is_v6 = false;
  bool is_any = false;
  bool is_loopback = false;
  uint32_t v4 = 0;  // host order; for v6: 0

  // A v4-mapped v6 address counts as v4.
  static Host of(const SocketAddress& address) {
    Host host;
    if (address.storage.ss_family == AF_INET) {
      sockaddr_in in{};
      std::memcpy(&in, &address.storage, sizeof(in));
      host.v4 = ntohl(in.sin_addr.s_addr);
    } else {
      sockaddr_in6 in{};
      std::memcpy(&in, &address.storage, sizeof(in));
      if (IN6_IS_ADDR_V4MAPPED(&in.sin6_addr)) {
        uint32_t mapped = 0;
        std::memcpy(&mapped, in.sin6_addr.s6_addr + 12, sizeof(mapped));
        host.v4 = ntohl(mapped);
      } else {
        host.is_v6 = true;
        host.is_any = IN6_IS_ADDR_UNSPECIFIED(&in.sin6_addr);
        host.is_loopback = IN6_IS_ADDR_LOOPBACK(&in.sin6_addr);
        return host;
      }
    }
    host.is_any = host.v4 == 0;
    host.is_loopback = host.v4 >> 24 == 127;
    return host;
  }
};

// ::ffff:a.b.c.d, as a dual-stack listener reports an IPv4 peer.
inline SocketAddress mapped_address(uint16_t port, uint32_t host) {
  in6_addr mapped{};
  mapped.s6_addr[10] = mapped.s6_addr[11] = 0xff;
  const uint32_t v4 = htonl(host);
  std::memcpy(mapped.s6_addr + 12, &v4, sizeof(v4));
  return ipv6_address(port, mapped);
}

}}}  // namespace trireme::sim
