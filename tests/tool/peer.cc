#include "tool/peer.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <vector>

namespace support {
namespace {

[[noreturn]] void fail(const char* what) {
  std::perror(what);
  std::abort();
}

int listen_at(const sockaddr* address, socklen_t size, int backlog) {
  const int fd = ::socket(address->sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0 || ::bind(fd, address, size) != 0 || ::listen(fd, backlog) != 0) fail("listen");
  return fd;
}

int listen_tcp(int family, int backlog, std::string& url) {
  sockaddr_storage address{};
  address.ss_family = static_cast<sa_family_t>(family);
  socklen_t size = sizeof(sockaddr_in);
  if (family == AF_INET6) {
    size = sizeof(sockaddr_in6);
    reinterpret_cast<sockaddr_in6&>(address).sin6_addr = in6addr_loopback;
  } else {
    reinterpret_cast<sockaddr_in&>(address).sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  }
  const int fd = listen_at(reinterpret_cast<sockaddr*>(&address), size, backlog);
  if (::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size) != 0) fail("getsockname");
  const uint16_t port = ntohs(reinterpret_cast<sockaddr_in&>(address).sin_port);
  url = (family == AF_INET6 ? "tcp://[::1]:" : "tcp://127.0.0.1:") + std::to_string(port);
  return fd;
}

int listen_unix(const std::string& url, int backlog) {
  const std::string path = url.substr(std::strlen("unix:"));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, sizeof address.sun_path - 1);
  auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + path.size());
  if (path[0] == '@') {
    address.sun_path[0] = '\0';
  } else {
    ++size;
  }
  return listen_at(reinterpret_cast<const sockaddr*>(&address), size, backlog);
}

}  // namespace

Peer::Peer(const Options& options) : options_(options), url_(options.url) {
  const int backlog = options.accepts ? 4096 : 1;
  if (options.url == "tcp" || options.url == "tcp6") {
    listener_ = listen_tcp(options.url == "tcp6" ? AF_INET6 : AF_INET, backlog, url_);
  } else {
    listener_ = listen_unix(options.url, backlog);
  }
  wake_ = ::eventfd(0, EFD_CLOEXEC);
  thread_ = std::thread(&Peer::run, this);
}

Peer::~Peer() {
  {
    const std::lock_guard lock(mutex_);
    ending_ = true;
    hold_wanted_ = false;
  }
  changed_.notify_all();
  ::eventfd_write(wake_, 1);
  thread_.join();
  ::close(listener_);
  ::close(wake_);
}

void Peer::hold() {
  std::unique_lock lock(mutex_);
  hold_wanted_ = true;
  ::eventfd_write(wake_, 1);
  changed_.wait(lock, [this] { return holding_; });
}

void Peer::release() {
  const std::lock_guard lock(mutex_);
  hold_wanted_ = false;
  changed_.notify_all();
}

void Peer::wait_while_held() {
  std::unique_lock lock(mutex_);
  holding_ = hold_wanted_;
  changed_.notify_all();
  changed_.wait(lock, [this] { return !hold_wanted_; });
  holding_ = false;
}

void Peer::run() {
  std::map<int, Client> clients;
  for (;;) {
    std::vector<pollfd> waiting = {{wake_, POLLIN, 0},
                                   {options_.accepts ? listener_ : -1, POLLIN, 0}};
    for (const auto& [fd, client] : clients) waiting.push_back({fd, POLLIN, 0});
    ::poll(waiting.data(), waiting.size(), -1);
    if (waiting[0].revents != 0) {
      eventfd_t count = 0;
      ::eventfd_read(wake_, &count);
      wait_while_held();
      const std::lock_guard lock(mutex_);
      if (ending_) break;
    }
    for (size_t i = 2; i < waiting.size(); ++i) {
      const int fd = waiting[i].fd;
      if (waiting[i].revents == 0 || serve(fd, clients[fd])) continue;
      ::close(fd);
      clients.erase(fd);
    }
    if (waiting[1].revents == 0) continue;
    const int fd = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    if (fd < 0) continue;
    ++accepted_;
    clients[fd].unwanted = options_.close_every > 0 && accepted_ % options_.close_every == 0;
    ::send(fd, options_.greeting.data(), options_.greeting.size(), MSG_NOSIGNAL);
  }
  for (const auto& [fd, client] : clients) ::close(fd);
}

bool Peer::serve(int fd, Client& client) {
  char bytes[65536];
  const ssize_t size = ::recv(fd, bytes, sizeof bytes, MSG_DONTWAIT);
  if (size <= 0) return size < 0 && errno == EAGAIN;
  if (client.unwanted) return false;
  uint64_t& position = client.position;
  const auto count = static_cast<uint64_t>(size);
  if (options_.flip_at >= position && options_.flip_at < position + count) {
    bytes[options_.flip_at - position] ^= 1;
  }
  position += count;
  received_ += count;
  if (options_.way == Options::Way::kEcho) {
    // Clients of this peer have little in flight: what it sends fits their buffers.
    for (size_t sent = 0; sent < count;) {
      const ssize_t part = ::send(fd, bytes + sent, count - sent, MSG_NOSIGNAL);
      if (part <= 0) return false;
      sent += static_cast<size_t>(part);
    }
  }
  return position < options_.close_after;
}

}  // namespace support
