#include "accept/endpoint.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/un.h>

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "accept/url_layers.h"

namespace trireme { inline namespace v0 {
namespace {

Error usage(std::string_view url, const std::string& what) {
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

// `rest`: of `url`, without its scheme and its options.
Result<Endpoint> parse_tcp(std::string_view url, std::string_view rest) {
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
  if (host.empty()) return Endpoint{.address = ipv6(in6addr_any, port), .every_address = true};
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
      return Endpoint{.address = ipv6(address, port), .zone = zone};
    }
  }
  in_addr address{};
  if (inet_pton(AF_INET, host.c_str(), &address) == 1)
    return Endpoint{.address = ipv4(address, port)};
  return usage(url, kHosts);
}

// A number without sign, of all of `text`.
bool read_number(std::string_view text, int base, uint32_t& number) {
  const char* const end = text.data() + text.size();
  const auto [stop, failure] = std::from_chars(text.data(), end, number, base);
  return failure == std::errc() && stop == end;
}

Result<Endpoint> parse_unix(std::string_view url, std::string_view rest) {
  constexpr size_t kBytesMax = sizeof(sockaddr_un::sun_path) - 1;
  const bool is_abstract = rest.starts_with('@');
  if (!is_abstract && !rest.starts_with('/')) {
    return usage(url, "a path must begin with '/', and an abstract name with '@'");
  }
  if (rest == "@") return usage(url, "the name behind the '@' is missing");
  if (rest.back() == '/') return usage(url, "this is a folder; write unix:/path/of/a/socket");
  if (rest.find('\0') != rest.npos) return usage(url, "a path has no byte that is zero");
  const size_t bytes = is_abstract ? rest.size() - 1 : rest.size();
  if (bytes > kBytesMax) {
    return usage(url, std::string(is_abstract ? "an abstract name" : "the path of a socket") +
                          " has at most 107 bytes, and this one has " + std::to_string(bytes) +
                          "; choose a shorter one");
  }
  return Endpoint{.kind = Endpoint::Kind::kUnix,
                  .address = unix_address(std::string(rest)),
                  .name = std::string(rest)};
}

Result<Endpoint> parse_descriptor(std::string_view url, std::string_view rest) {
  uint32_t fd = 0;
  if (!read_number(rest, 10, fd) || fd > INT32_MAX) {
    return usage(url, "write fd:N, with N the number of an inherited socket that listens");
  }
  return Endpoint{.kind = Endpoint::Kind::kDescriptor, .fd = static_cast<int>(fd)};
}

constexpr uint32_t kModeMax = 0777;

// Null, or what is wrong with it.
const char* take_option(std::string_view key, std::string_view value, UrlOptions& options) {
  uint32_t number = 0;
  if (key == "backlog") {
    if (!read_number(value, 10, number) || number == 0 || number > INT32_MAX)
      return "backlog must be a number, at least 1";
    options.backlog = static_cast<int>(number);
    return nullptr;
  }
  if (key == "mode") {
    if (!read_number(value, 8, number) || number > kModeMax)
      return "mode must be an octal number from 0 to 777, such as 660";
    options.mode = number;
    return nullptr;
  }
  if (key != "user" && key != "group")
    return "behind the '?' may stand backlog, mode, user and group, as in unix:/path?mode=660";
  if (value.empty()) return "the name of the user or group is missing";
  (key == "user" ? options.user : options.group) = std::string(value);
  return nullptr;
}

// "mode=660&user=www-data"
Result<UrlOptions> parse_options(std::string_view url, std::string_view text) {
  UrlOptions options;
  while (true) {
    const size_t end = std::min(text.find('&'), text.size());
    const std::string_view one = text.substr(0, end);
    const size_t equals = std::min(one.find('='), one.size());
    const std::string_view value = one.substr(std::min(equals + 1, one.size()));
    if (const char* wrong = take_option(one.substr(0, equals), value, options))
      return usage(url, wrong);
    if (end == text.size()) return options;
    text.remove_prefix(end + 1);
  }
}

const char* misplaced(const Endpoint& endpoint) {
  const UrlOptions& options = endpoint.options;
  if (endpoint.is_inherited() && options.any()) {
    return "an inherited socket has been bound: set its options where that was done "
           "(Backlog=, SocketMode=, SocketUser= of a socket unit)";
  }
  const bool of_file = options.mode || !options.user.empty() || !options.group.empty();
  if (endpoint.has_file() || !of_file) return nullptr;
  return "mode, user and group are of the file of a unix socket, and here is none";
}

Result<Endpoint> parse_plain(std::string_view url, std::string_view plain) {
  constexpr std::string_view kTcp = "tcp://", kUnix = "unix:", kFd = "fd:", kSystemd = "systemd:";
  if (plain.starts_with(kTcp)) return parse_tcp(url, plain.substr(kTcp.size()));
  if (plain.starts_with(kUnix)) return parse_unix(url, plain.substr(kUnix.size()));
  if (plain.starts_with(kFd)) return parse_descriptor(url, plain.substr(kFd.size()));
  if (plain.starts_with(kSystemd)) {
    return Endpoint{.kind = Endpoint::Kind::kSystemd,
                    .name = std::string(plain.substr(kSystemd.size()))};
  }
  return usage(url, "write tcp://HOST:PORT, unix:/path, unix:@name, fd:N or systemd:NAME");
}

}  // namespace

Result<Endpoint> parse_endpoint(std::string_view url) {
  const size_t question = std::min(url.find('?'), url.size());
  Result<Endpoint> endpoint = parse_plain(url, without_layers(url.substr(0, question)));
  if (!endpoint || question == url.size()) return endpoint;
  Result<UrlOptions> options = parse_options(url, url.substr(question + 1));
  if (!options) return options.error();
  endpoint.value().options = options.value();
  if (const char* wrong = misplaced(endpoint.value())) return usage(url, wrong);
  return endpoint;
}

SocketAddress unix_address(const std::string& name) {
  sockaddr_un un{};
  un.sun_family = AF_UNIX;
  std::memcpy(un.sun_path, name.data(), std::min(name.size(), sizeof(un.sun_path)));
  const bool is_abstract = name.front() == '@';
  if (is_abstract) un.sun_path[0] = '\0';
  SocketAddress address;
  std::memcpy(&address.storage, &un, sizeof(un));
  // Of a path with the zero behind it, if there is room; of a name all bytes count.
  const size_t bytes = offsetof(sockaddr_un, sun_path) + name.size() + (is_abstract ? 0 : 1);
  address.size = static_cast<socklen_t>(std::min(bytes, sizeof(un)));
  return address;
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

std::string unix_name(const SocketAddress& address) {
  constexpr size_t kHead = offsetof(sockaddr_un, sun_path);
  if (address.size <= kHead) return {};
  const char* const path = reinterpret_cast<const char*>(&address.storage) + kHead;
  std::string name(path, address.size - kHead);
  if (name.front() != '\0') return name.substr(0, name.find('\0'));
  for (char& byte : name) byte = byte == '\0' ? '@' : byte;  // as ss(8) shows it
  return name;
}

std::string to_url(const SocketAddress& address, std::string_view zone) {
  char text[INET6_ADDRSTRLEN] = "";
  const std::string port = ":" + std::to_string(port_of(address));
  if (address.storage.ss_family == AF_UNIX) return "unix:" + unix_name(address);
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
