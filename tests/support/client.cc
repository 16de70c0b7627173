#include "support/client.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstring>
#include <utility>

namespace support {
namespace {

constexpr size_t kPieceBytes = 64 << 10;

struct Address {
  sockaddr_storage storage{};
  socklen_t size = 0;
};

Address address_of_unix(const std::string& name) {
  sockaddr_un un{};
  un.sun_family = AF_UNIX;
  std::memcpy(un.sun_path, name.data(), std::min(name.size(), sizeof(un.sun_path)));
  const bool is_abstract = name.front() == '@';
  if (is_abstract) un.sun_path[0] = '\0';
  Address address;
  std::memcpy(&address.storage, &un, sizeof(un));
  const size_t bytes = offsetof(sockaddr_un, sun_path) + name.size() + (is_abstract ? 0 : 1);
  address.size = static_cast<socklen_t>(std::min(bytes, sizeof(un)));
  return address;
}

Address address_of(const std::string& url) {
  if (url.starts_with("unix:")) return address_of_unix(url.substr(std::strlen("unix:")));
  const std::string rest = url.substr(std::strlen("tcp://"));
  const size_t colon = rest.rfind(':');
  const auto port = htons(static_cast<uint16_t>(std::stoi(rest.substr(colon + 1))));
  const std::string host = rest.substr(0, colon);
  Address address;
  if (host.front() == '[') {
    sockaddr_in6 in{};
    in.sin6_family = AF_INET6;
    in.sin6_port = port;
    ::inet_pton(AF_INET6, host.substr(1, host.size() - 2).c_str(), &in.sin6_addr);
    std::memcpy(&address.storage, &in, sizeof(in));
    address.size = sizeof(in);
  } else {
    sockaddr_in in{};
    in.sin_family = AF_INET;
    in.sin_port = port;
    ::inet_pton(AF_INET, host.c_str(), &in.sin_addr);
    std::memcpy(&address.storage, &in, sizeof(in));
    address.size = sizeof(in);
  }
  return address;
}

template <class T>
void set(int fd, int level, int name, T value) {
  ::setsockopt(fd, level, name, &value, sizeof(value));
}

}  // namespace

Client::Client(const std::string& url, const Options& options) {
  const Address address = address_of(url);
  fd_ = ::socket(address.storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd_ < 0) return;
  set(fd_, IPPROTO_TCP, TCP_NODELAY, 1);
  if (options.receive_buffer_bytes > 0) {
    set(fd_, SOL_SOCKET, SO_RCVBUF, options.receive_buffer_bytes);
  }
  if (!options.from.empty()) {
    const Address from = address_of("tcp://" + options.from + ":0");
    ::bind(fd_, reinterpret_cast<const sockaddr*>(&from.storage), from.size);
  }
  int result = ::connect(fd_, reinterpret_cast<const sockaddr*>(&address.storage), address.size);
  if (result != 0 && errno == EINPROGRESS && wait_for(POLLOUT, Clock::now() + kDeadline)) {
    int error = 0;
    socklen_t size = sizeof(error);
    ::getsockopt(fd_, SOL_SOCKET, SO_ERROR, &error, &size);
    result = error == 0 ? 0 : -1;
  }
  if (result != 0) close();
}

Client::Client(Client&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)), end_(other.end_), received_(std::move(other.received_)) {}

bool Client::wait_for(short events, Clock::time_point until) {
  while (true) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(until - Clock::now()).count();
    pollfd entry{fd_, events, 0};
    const int count = ::poll(&entry, 1, static_cast<int>(std::max<int64_t>(left, 0)));
    if (count > 0) return true;
    if (count == 0) {
      end_ = End::kDeadline;
      return false;
    }
  }
}

bool Client::send(std::string_view bytes) {
  const Clock::time_point until = Clock::now() + kDeadline;
  while (!bytes.empty()) {
    const ssize_t sent = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent >= 0) {
      bytes.remove_prefix(static_cast<size_t>(sent));
    } else if (errno != EAGAIN && errno != EINTR) {
      end_ = End::kReset;
      return false;
    } else if (!wait_for(POLLOUT, until)) {
      return false;
    }
  }
  return true;
}

size_t Client::send_until_full(std::string_view bytes, std::chrono::milliseconds quiet) {
  size_t total = 0;
  while (total < bytes.size()) {
    const ssize_t sent = ::send(fd_, bytes.data() + total, bytes.size() - total, MSG_NOSIGNAL);
    if (sent > 0) {
      total += static_cast<size_t>(sent);
      continue;
    }
    pollfd entry{fd_, POLLOUT, 0};
    if (errno != EAGAIN || ::poll(&entry, 1, static_cast<int>(quiet.count())) <= 0) break;
  }
  return total;
}

bool Client::receive_some(Clock::time_point until) {
  char piece[kPieceBytes];
  while (true) {
    const ssize_t count = ::recv(fd_, piece, sizeof(piece), 0);
    if (count > 0) {
      received_.append(piece, static_cast<size_t>(count));
      return true;
    }
    if (count == 0 || (errno != EAGAIN && errno != EINTR)) {
      end_ = count == 0 ? End::kEof : End::kReset;
      return false;
    }
    if (!wait_for(POLLIN, until)) return false;
  }
}

std::string Client::receive(size_t bytes) {
  const Clock::time_point until = Clock::now() + kDeadline;
  while (received_.size() < bytes && receive_some(until)) {
  }
  const size_t count = std::min(bytes, received_.size());
  std::string result = received_.substr(0, count);
  received_.erase(0, count);
  return result;
}

std::string Client::line() {
  const Clock::time_point until = Clock::now() + kDeadline;
  size_t searched = 0;
  size_t end = std::string::npos;
  while ((end = received_.find('\n', searched)) == std::string::npos) {
    searched = received_.size();
    if (!receive_some(until)) break;
  }
  std::string result = received_.substr(0, end);
  received_.erase(0, end == std::string::npos ? end : end + 1);
  return result;
}

std::string Client::converse(std::string_view bytes, bool ends) {
  const Clock::time_point until = Clock::now() + kDeadline;
  bool shut = !ends;
  while (true) {
    if (bytes.empty() && !shut) {
      shutdown_write();
      shut = true;
    }
    if (!wait_for(bytes.empty() ? POLLIN : static_cast<short>(POLLIN | POLLOUT), until)) break;
    if (!bytes.empty()) {
      const size_t wanted = std::min(bytes.size(), kPieceBytes);
      const ssize_t sent = ::send(fd_, bytes.data(), wanted, MSG_NOSIGNAL);
      if (sent > 0) bytes.remove_prefix(static_cast<size_t>(sent));
      if (sent < 0 && errno != EAGAIN && errno != EINTR) bytes = {};  // receiving says more
    }
    pollfd entry{fd_, POLLIN, 0};
    if (::poll(&entry, 1, 0) > 0 && !receive_some(until)) break;
  }
  return std::exchange(received_, {});
}

bool Client::readable_within(std::chrono::milliseconds time) {
  if (!received_.empty()) return true;
  pollfd entry{fd_, POLLIN, 0};
  return ::poll(&entry, 1, static_cast<int>(time.count())) > 0;
}

bool Client::wait_all_arrived() {
  return wait_until([this] {
    int unacknowledged = 0;
    return ::ioctl(fd_, SIOCOUTQ, &unacknowledged) != 0 || unacknowledged == 0;
  });
}

void Client::shutdown_write() { ::shutdown(fd_, SHUT_WR); }

void Client::reset() {
  set(fd_, SOL_SOCKET, SO_LINGER, linger{1, 0});
  close();
}

void Client::close() {
  if (fd_ >= 0) ::close(std::exchange(fd_, -1));
}

uint16_t Client::port() const {
  sockaddr_storage storage{};
  socklen_t size = sizeof(storage);
  if (::getsockname(fd_, reinterpret_cast<sockaddr*>(&storage), &size) != 0) return 0;
  sockaddr_in in{};  // the port stands at the same place in both families
  std::memcpy(&in, &storage, sizeof(in));
  return ntohs(in.sin_port);
}

}  // namespace support
