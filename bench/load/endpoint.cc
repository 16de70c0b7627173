#include "endpoint.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <string>

namespace bench {

std::optional<sockaddr_in> parse_url(std::string_view url) {
  constexpr std::string_view kScheme = "tcp://";
  const size_t colon = url.rfind(':');
  if (!url.starts_with(kScheme) || colon < kScheme.size()) return std::nullopt;
  const std::string host(url.substr(kScheme.size(), colon - kScheme.size()));
  const std::string_view port_text = url.substr(colon + 1);
  uint16_t port = 0;
  const auto [end, error] =
      std::from_chars(port_text.data(), port_text.data() + port_text.size(), port);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  const bool good = error == std::errc() && end == port_text.data() + port_text.size() &&
                    inet_pton(AF_INET, host.c_str(), &address.sin_addr) == 1;
  return good ? std::optional(address) : std::nullopt;
}

namespace {

bool bind_source(int fd, unsigned source) {
  // Without this option bind would take a port that is free for every destination: 28,000 at most.
  const int on = 1;
  setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK + source);
  return bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
}

bool connect_socket(int fd, const sockaddr_in& server, Connecting connecting) {
  const auto* address = reinterpret_cast<const sockaddr*>(&server);
  if (connecting == Connecting::kStart) {
    return connect(fd, address, sizeof server) == 0 || errno == EINPROGRESS;
  }
  const timeval patience{.tv_sec = 10, .tv_usec = 0};
  setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
  return connect(fd, address, sizeof server) == 0 && fcntl(fd, F_SETFL, O_NONBLOCK) == 0;
}

}  // namespace

int open_client(const sockaddr_in& server, unsigned source, unsigned sources,
                Connecting connecting) {
  const int flags = connecting == Connecting::kStart ? SOCK_NONBLOCK : 0;
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | flags, 0);
  if (fd < 0) return -1;
  const int on = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  const bool bound = sources <= 1 || bind_source(fd, source % sources);
  if (bound && connect_socket(fd, server, connecting)) return fd;
  const int error = errno;
  close(fd);
  errno = error;
  return -1;
}

void raise_descriptor_limit() {
  rlimit files{};
  if (getrlimit(RLIMIT_NOFILE, &files) != 0) return;
  files.rlim_cur = files.rlim_max;
  setrlimit(RLIMIT_NOFILE, &files);
}

}  // namespace bench
