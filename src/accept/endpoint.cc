#include "accept/endpoint.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <charconv>
#include <cstring>

#include "accept/url_layers.h"

namespace trireme { inline namespace v0 {
namespace {

Error usage(std::string_view url, const char* what) {
  return {Error::Code::kUsage, "cannot listen at '" + std::string(url) + "': " + what};
}

SocketAddress ipv4(const in_addr& host, uint16_t port) {
  sockaddr_in in{};
  in.sin_family = AF_INET;
  in.sin_addr = host;
  in.sin_port = htons(port);
  SocketAddress address;
  std::memcpy(&address.storage, &in, sizeof(in));
  address.size = sizeof(in);
  return address;
}

SocketAddress ipv6(const in6_addr& host, uint16_t port) {
  sockaddr_in6 in{};
  in.sin6_family = AF_INET6;
  in.sin6_addr = host;
  in.sin6_port = htons(port);
  SocketAddress address;
  std::memcpy(&address.storage, &in, sizeof(in));
  address.size = sizeof(in);
  return address;
}

}  // namespace

Result<Endpoint> parse_endpoint(std::string_view url) {
  constexpr std::string_view kScheme = "tcp://";
  const std::string plain = without_layers(url);
  if (!plain.starts_with(kScheme)) return usage(url, "write tcp://HOST:PORT");
  const std::string_view rest = std::string_view(plain).substr(kScheme.size());
  const size_t colon = rest.rfind(':');
  if (colon == std::string_view::npos)
    return usage(url, "the port is missing; write tcp://HOST:PORT");
  std::string host(rest.substr(0, colon));
  const std::string_view digits = rest.substr(colon + 1);
  uint16_t port = 0;
  const auto [end, failure] = std::from_chars(digits.data(), digits.data() + digits.size(), port);
  if (failure != std::errc() || end != digits.data() + digits.size()) {
    return usage(url, "the port must be a number from 0 to 65535");
  }
  constexpr const char* kHosts =
      "the host must be an IPv4 address, an IPv6 address in brackets, localhost or nothing";
  if (host.find('\0') != std::string::npos)
    return usage(url, kHosts);  // inet_pton would stop there
  if (host.empty()) return Endpoint{ipv6(in6addr_any, port), true};
  if (host == "localhost") host = "127.0.0.1";
  if (host.front() == '[' && host.back() == ']') {
    in6_addr address{};
    const std::string inner = host.substr(1, host.size() - 2);
    const size_t percent = inner.find('%');
    if (inet_pton(AF_INET6, inner.substr(0, percent).c_str(), &address) == 1) {
      const std::string zone = percent == std::string::npos ? "" : inner.substr(percent + 1);
      const bool is_local = IN6_IS_ADDR_LINKLOCAL(&address);
      if (is_local && zone.empty()) {
        return usage(url,
                     "a link-local address needs its interface, as in tcp://[fe80::1%eth0]:7000");
      }
      if (!is_local && percent != std::string::npos)
        return usage(url, "only a link-local address (fe80::/10) has an interface behind a '%'");
      return Endpoint{ipv6(address, port), false, zone};
    }
  }
  in_addr address{};
  if (inet_pton(AF_INET, host.c_str(), &address) == 1) return Endpoint{ipv4(address, port), false};
  return usage(url, kHosts);
}

SocketAddress any_ipv4(uint16_t port) { return ipv4(in_addr{htonl(INADDR_ANY)}, port); }

uint16_t port_of(const SocketAddress& address) {
  // The port stands at the same place in both families.
  sockaddr_in in{};
  std::memcpy(&in, &address.storage, sizeof(in));
  return ntohs(in.sin_port);
}

void set_scope(SocketAddress& address, uint32_t scope) {
  sockaddr_in6 in{};
  std::memcpy(&in, &address.storage, sizeof(in));
  in.sin6_scope_id = scope;
  std::memcpy(&address.storage, &in, sizeof(in));
}

std::string to_url(const SocketAddress& address, std::string_view zone) {
  char text[INET6_ADDRSTRLEN] = "";
  const std::string port = ":" + std::to_string(port_of(address));
  if (address.storage.ss_family == AF_INET6) {
    sockaddr_in6 in{};
    std::memcpy(&in, &address.storage, sizeof(in));
    inet_ntop(AF_INET6, &in.sin6_addr, text, sizeof(text));
    const std::string behind = zone.empty() ? "" : "%" + std::string(zone);
    return "tcp://[" + std::string(text) + behind + "]" + port;
  }
  sockaddr_in in{};
  std::memcpy(&in, &address.storage, sizeof(in));
  inet_ntop(AF_INET, &in.sin_addr, text, sizeof(text));
  return "tcp://" + std::string(text) + port;
}

}}  // namespace trireme
