#include "roster/client_address.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <algorithm>
#include <cstring>

#include "runtime/system/unix_peer.h"

namespace trireme { inline namespace v0 {

bool ClientAddress::is_wide(uint64_t word) {
  return word >> 48 == AF_INET6 || word >> 48 == AF_UNIX;
}

bool ClientAddress::is_of_internet() const {
  return word >> 48 == AF_INET || word >> 48 == AF_INET6;
}

std::optional<Credentials> ClientAddress::credentials() const {
  if (word >> 48 != AF_UNIX) return {};
  return Credentials{.pid = static_cast<int32_t>(wide[1]),
                     .uid = static_cast<uint32_t>(wide[0] >> 32),
                     .gid = static_cast<uint32_t>(wide[0])};
}

ClientAddress ClientAddress::of(const SocketAddress& address) {
  ClientAddress made;
  if (address.storage.ss_family == AF_INET) {
    sockaddr_in in{};
    std::memcpy(&in, &address.storage, sizeof(in));
    made.word = (uint64_t{AF_INET} << 48) | (uint64_t{ntohs(in.sin_port)} << 32) |
                ntohl(in.sin_addr.s_addr);
  } else if (address.storage.ss_family == AF_INET6) {
    sockaddr_in6 in{};
    std::memcpy(&in, &address.storage, sizeof(in));
    const uint64_t port = uint64_t{ntohs(in.sin6_port)} << 32;
    if (IN6_IS_ADDR_V4MAPPED(&in.sin6_addr)) {
      uint32_t ipv4;
      std::memcpy(&ipv4, &in.sin6_addr.s6_addr[12], sizeof(ipv4));
      made.word = (uint64_t{AF_INET} << 48) | port | ntohl(ipv4);
    } else {
      made.word = (uint64_t{AF_INET6} << 48) | port;
      std::memcpy(made.wide.data(), &in.sin6_addr, sizeof(in.sin6_addr));
    }
  } else if (const std::optional<Credentials> known = credentials_of(address)) {
    made.word = uint64_t{AF_UNIX} << 48;
    made.wide = {uint64_t{known->uid} << 32 | known->gid, static_cast<uint32_t>(known->pid)};
  }
  return made;
}

std::string ClientAddress::describe() const {
  const std::string port = std::to_string((word >> 32) & 0xffff);
  char text[INET6_ADDRSTRLEN] = "";
  if (word >> 48 == AF_INET) {
    const in_addr in{htonl(static_cast<uint32_t>(word))};
    inet_ntop(AF_INET, &in, text, sizeof(text));
    return std::string(text) + ":" + port;
  }
  if (const std::optional<Credentials> known = credentials()) {
    return "unix:pid=" + std::to_string(known->pid) + ",uid=" + std::to_string(known->uid) +
           ",gid=" + std::to_string(known->gid);
  }
  if (word >> 48 != AF_INET6) return {};
  inet_ntop(AF_INET6, wide.data(), text, sizeof(text));
  return std::string("[") + text + "]:" + port;
}

std::string ClientAddress::key(uint32_t prefix_bits) const {
  const uint64_t without_port = word & ~(uint64_t{0xffff} << 32);
  std::array<uint8_t, sizeof(wide)> bytes;
  std::memcpy(bytes.data(), wide.data(), bytes.size());
  for (uint32_t i = 0; i < bytes.size(); ++i) {
    const uint32_t kept = prefix_bits > 8 * i ? std::min(prefix_bits - 8 * i, 8u) : 0;
    bytes[i] = static_cast<uint8_t>(bytes[i] & (0xff00u >> kept));
  }
  std::string key(sizeof(without_port) + bytes.size(), '\0');
  std::memcpy(key.data(), &without_port, sizeof(without_port));
  std::memcpy(key.data() + sizeof(without_port), bytes.data(), bytes.size());
  return key;
}

}}  // namespace trireme
