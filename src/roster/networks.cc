#include "roster/networks.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <algorithm>
#include <charconv>
#include <cstring>
#include <string>

namespace trireme { inline namespace v0 {
namespace {

using Host = std::array<uint8_t, 16>;

constexpr size_t kMappedBytes = 12;  // in front of an IPv4 address

Host map_ipv4(const in_addr& ipv4) {
  Host host{};
  host[10] = host[11] = 0xff;
  std::memcpy(&host[kMappedBytes], &ipv4, sizeof(ipv4));
  return host;
}

bool begin_alike(const Host& a, const Host& b, uint32_t bits) {
  const size_t whole = bits / 8;
  if (!std::equal(a.begin(), a.begin() + static_cast<int>(whole), b.begin())) return false;
  const auto mask = static_cast<uint8_t>(0xff00u >> (bits % 8));
  return bits % 8 == 0 || ((a[whole] ^ b[whole]) & mask) == 0;
}

}  // namespace

const char* Networks::add(std::string_view text) {
  const size_t slash = text.find('/');
  const std::string host(text.substr(0, slash));
  Network network{};
  in_addr ipv4{};
  in6_addr ipv6{};
  uint32_t bits_max = 32;
  if (host.find('\0') == host.npos && inet_pton(AF_INET, host.c_str(), &ipv4) == 1) {
    network.host = map_ipv4(ipv4);
  } else if (host.find('\0') == host.npos && inet_pton(AF_INET6, host.c_str(), &ipv6) == 1) {
    std::memcpy(network.host.data(), &ipv6, sizeof(ipv6));
    bits_max = 128;
  } else {
    return "write an address or a network, such as 10.0.0.0/8 or 2001:db8::1";
  }
  uint32_t bits = bits_max;
  if (slash != text.npos) {
    const std::string_view digits = text.substr(slash + 1);
    const char* const end = digits.data() + digits.size();
    const auto [stop, failure] = std::from_chars(digits.data(), end, bits);
    if (failure != std::errc() || stop != end || digits.empty() || bits > bits_max)
      return "the number of bits behind the '/' is 0 to 32, or to 128 of IPv6";
  }
  network.bits = bits + (128 - bits_max);
  Host rest = network.host;
  for (uint32_t bit = network.bits; bit < 128; ++bit) {
    rest[bit / 8] = static_cast<uint8_t>(rest[bit / 8] & ~(0x80u >> (bit % 8)));
  }
  if (rest != network.host) return "the address has bits behind those that count";
  networks_.push_back(network);
  return nullptr;
}

bool Networks::contains(const SocketAddress& address) const {
  Host host{};
  if (address.storage.ss_family == AF_INET) {
    sockaddr_in in{};
    std::memcpy(&in, &address.storage, sizeof(in));
    host = map_ipv4(in.sin_addr);
  } else if (address.storage.ss_family == AF_INET6) {
    sockaddr_in6 in{};
    std::memcpy(&in, &address.storage, sizeof(in));
    std::memcpy(host.data(), &in.sin6_addr, host.size());
  } else {
    return false;
  }
  return std::any_of(networks_.begin(), networks_.end(), [&](const Network& network) {
    return begin_alike(host, network.host, network.bits);
  });
}

}}  // namespace trireme
