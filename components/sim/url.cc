#include "sim/url.h"

#include <charconv>
#include <string>

#include "sim/address.h"

namespace trireme { inline namespace v0 { namespace sim {

std::optional<SocketAddress> address_of_url(std::string_view url) {
  constexpr std::string_view kUnix = "unix:";
  constexpr size_t kNameBytesMax = 107;
  if (url.starts_with(kUnix)) {
    const std::string name(url.substr(kUnix.size()));
    if (name.empty() || name.size() > kNameBytesMax) return std::nullopt;
    return unix_address(name);
  }
  constexpr std::string_view kScheme = "tcp://";
  if (!url.starts_with(kScheme)) return std::nullopt;
  url.remove_prefix(kScheme.size());
  const size_t colon = url.rfind(':');
  if (colon == std::string_view::npos) return std::nullopt;
  const std::string_view digits = url.substr(colon + 1);
  uint16_t port = 0;
  const auto parsed = std::from_chars(digits.data(), digits.data() + digits.size(), port);
  if (parsed.ec != std::errc() || parsed.ptr != digits.data() + digits.size()) return std::nullopt;

  std::string host(url.substr(0, colon));
  if (host.empty() || host == "localhost") return ipv4_address(port);
  if (host.front() == '[' && host.back() == ']') {
    in6_addr v6{};
    host = host.substr(1, host.size() - 2);
    if (::inet_pton(AF_INET6, host.c_str(), &v6) != 1) return std::nullopt;
    return ipv6_address(port, v6);
  }
  in_addr v4{};
  if (::inet_pton(AF_INET, host.c_str(), &v4) != 1) return std::nullopt;
  return ipv4_address(port, ntohl(v4.s_addr));
}

}}}  // namespace trireme::sim
