#include "load/endpoint.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstddef>
#include <cstring>
#include <fstream>
#include <iterator>
#include <memory>

#include "load/clocks.h"

namespace load {
namespace {

constexpr std::string_view kTcp = "tcp://";
constexpr std::string_view kUnix = "unix:";
constexpr std::string_view kOverTls = "+tls";

tr::Error wrong_url(std::string_view url) {
  return {tr::Error::Code::kUsage,
          "expected a URL tcp://HOST:PORT, tls://HOST:PORT, tcp://[ADDRESS]:PORT, unix:/path or "
          "unix:@name, got \"" +
              std::string(url) + "\""};
}

tr::Result<Endpoint> unix_endpoint(std::string_view url) {
  const std::string_view path = url.substr(kUnix.size());
  Endpoint endpoint;
  auto& address = reinterpret_cast<sockaddr_un&>(endpoint.address);
  if (path.size() < 2 || (path[0] != '/' && path[0] != '@')) return wrong_url(url);
  if (path.size() >= sizeof address.sun_path) {
    return tr::Error{tr::Error::Code::kUsage,
                     "the path of a unix socket has at most 107 bytes: " + std::string(path)};
  }
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, path.size());
  const bool is_abstract = path[0] == '@';
  if (is_abstract) address.sun_path[0] = '\0';
  // An abstract name has no zero at its end, and its length counts.
  endpoint.size =
      static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + path.size() + (is_abstract ? 0 : 1));
  return endpoint;
}

struct FreeAddresses {
  void operator()(addrinfo* list) const { ::freeaddrinfo(list); }
};

Endpoint endpoint_of(const addrinfo& found) {
  Endpoint endpoint;
  std::memcpy(&endpoint.address, found.ai_addr, found.ai_addrlen);
  endpoint.size = found.ai_addrlen;
  return endpoint;
}

tr::Result<Endpoint> look_up(std::string_view url, const std::string& host, const std::string& port,
                             std::chrono::nanoseconds patience) {
  const addrinfo hints{.ai_flags = AI_NUMERICSERV, .ai_socktype = SOCK_STREAM};
  addrinfo* list = nullptr;
  const int status = ::getaddrinfo(host.c_str(), port.c_str(), &hints, &list);
  const std::unique_ptr<addrinfo, FreeAddresses> owner(list);
  if (status != 0) {
    return tr::Error{tr::Error::Code::kSystem,
                     "there is no host " + host + ": " + ::gai_strerror(status)};
  }
  if (list->ai_next == nullptr) return endpoint_of(*list);
  std::string why;
  for (const addrinfo* each = list; each != nullptr; each = each->ai_next) {
    const Endpoint endpoint = endpoint_of(*each);
    const int fd = open_client_blocking(endpoint, patience);
    if (fd >= 0) {
      ::close(fd);
      return endpoint;
    }
    why = std::strerror(errno);
  }
  return tr::Error{tr::Error::Code::kSystem,
                   "no address of " + std::string(url) + " accepts a connection: " + why};
}

bool bind_source(int fd, uint32_t source) {
  // Without this option bind would take a port that is free for every destination: 28,000 at most.
  const int on = 1;
  ::setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK + source);
  return ::bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
}

bool set_options(int fd, const ClientOptions& options) {
  const int on = 1;
  ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  if (!options.congestion.empty() &&
      ::setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, options.congestion.data(),
                   static_cast<socklen_t>(options.congestion.size())) != 0) {
    return false;
  }
  return options.sources <= 1 || bind_source(fd, options.source % options.sources);
}

// Without "tls": what is below it.
tr::Result<Endpoint> resolve_plain(std::string_view url, std::chrono::nanoseconds patience) {
  if (url.starts_with(kUnix)) return unix_endpoint(url);
  const size_t colon = url.rfind(':');
  if (!url.starts_with(kTcp) || colon < kTcp.size() || colon == url.npos) return wrong_url(url);
  std::string_view host = url.substr(kTcp.size(), colon - kTcp.size());
  const std::string_view port = url.substr(colon + 1);
  const bool is_bracketed = host.starts_with('[') && host.ends_with(']');
  if (is_bracketed) host = host.substr(1, host.size() - 2);
  uint16_t number = 0;
  const auto [stop, problem] = std::from_chars(port.data(), port.data() + port.size(), number);
  if (host.empty() || problem != std::errc() || stop != port.data() + port.size() || number == 0 ||
      is_bracketed != (host.find(':') != host.npos) || host.find_first_of("/@[]?# ") != host.npos) {
    return wrong_url(url);
  }
  auto found = look_up(url, std::string(host), std::string(port), patience);
  if (found) found.value().host = host;
  return found;
}

}  // namespace

bool Endpoint::is_loopback4() const {
  if (address.ss_family != AF_INET) return false;
  const auto& ipv4 = reinterpret_cast<const sockaddr_in&>(address);
  return (ntohl(ipv4.sin_addr.s_addr) >> 24) == 127;
}

tr::Result<Endpoint> resolve_url(std::string_view url, std::chrono::nanoseconds patience) {
  const std::string_view scheme = url.substr(0, url.find(':'));
  std::string plain(url);
  if (scheme == "tls") {
    plain.replace(0, scheme.size(), "tcp");
  } else if (scheme.ends_with(kOverTls)) {
    plain.erase(scheme.size() - kOverTls.size(), kOverTls.size());
  }
  auto found = resolve_plain(plain, patience);
  if (!found && found.error().code == tr::Error::Code::kUsage) return resolve_plain(url, patience);
  if (found) found.value().is_tls = plain != url;
  return found;
}

int open_client(const Endpoint& server, const ClientOptions& options) {
  const int fd = ::socket(server.address.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return -1;
  const bool ready = !server.is_tcp() || set_options(fd, options);
  const auto* address = reinterpret_cast<const sockaddr*>(&server.address);
  if (ready && (::connect(fd, address, server.size) == 0 || errno == EINPROGRESS)) return fd;
  const int error = errno;
  ::close(fd);
  errno = error;
  return -1;
}

int open_client_blocking(const Endpoint& server, std::chrono::nanoseconds patience) {
  const int64_t deadline = now_ns() + patience.count();
  int fd = open_client(server);
  while (fd < 0 && errno == EAGAIN && now_ns() < deadline) {
    blocking_sleep_ns(1'000'000);
    fd = open_client(server);
  }
  if (fd < 0) return -1;
  pollfd writable{.fd = fd, .events = POLLOUT, .revents = 0};
  int error = ETIMEDOUT;
  for (int64_t left = 0; (left = deadline - now_ns()) > 0;) {
    const int count = ::poll(&writable, 1, static_cast<int>(left / 1'000'000) + 1);
    if (count < 0 && errno == EINTR) continue;
    if (count > 0) error = connect_error(fd);
    break;
  }
  if (error == 0) return fd;
  ::close(fd);
  errno = error;
  return -1;
}

int connect_error(int fd) {
  int error = 0;
  socklen_t size = sizeof error;
  return ::getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) == 0 ? error : errno;
}

uint64_t raise_descriptor_limit() {
  rlimit files{};
  if (::getrlimit(RLIMIT_NOFILE, &files) != 0) return 0;
  files.rlim_cur = files.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &files);
  return ::getrlimit(RLIMIT_NOFILE, &files) == 0 ? files.rlim_cur : 0;
}

std::string check_congestion(const std::string& name) {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return std::strerror(errno);
  const bool taken = ::setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, name.data(),
                                  static_cast<socklen_t>(name.size())) == 0;
  const bool forbidden = !taken && errno == EPERM;
  ::close(fd);
  if (taken) return {};
  std::string allowed;  // to everybody
  std::getline(std::ifstream("/proc/sys/net/ipv4/tcp_allowed_congestion_control"), allowed);
  return (forbidden ? "only root may use the congestion control \""
                    : "the kernel does not know the congestion control \"") +
         name + "\"; everybody may use " + (allowed.empty() ? "the system's own" : allowed);
}

}  // namespace load
