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

#include "support/tls.h"

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

bool was_reset(const load::TlsStream& tls) {
  return tls.problem().find(std::strerror(ECONNRESET)) != std::string::npos ||
         tls.problem().find(std::strerror(EPIPE)) != std::string::npos;
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
  if (result != 0 || (url.starts_with("tls:") && !shake_hands())) close();
}

Client::Client(Client&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)),
      end_(other.end_),
      tls_(std::move(other.tls_)),
      received_(std::move(other.received_)) {}

bool Client::shake_hands() {
  using Step = load::TlsStream::Step;
  tls_ = begin_tls(fd_);
  const Clock::time_point until = Clock::now() + kDeadline;
  Step step = Step::kFailed;
  while (tls_ != nullptr && (step = tls_->shake_hands()) != Step::kDone) {
    const short awaited = step == Step::kAwaitsReading ? POLLIN : POLLOUT;
    if (step == Step::kFailed || !wait_for(awaited, until)) return false;
  }
  return step == Step::kDone;
}

// As send(2).
ssize_t Client::send_some(std::string_view bytes) {
  if (tls_ != nullptr) return tls_->send(bytes);
  return ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
}

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
    const ssize_t sent = send_some(bytes);
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
    const ssize_t sent = send_some(bytes.substr(total));
    if (sent > 0) {
      total += static_cast<size_t>(sent);
      continue;
    }
    pollfd entry{fd_, POLLOUT, 0};
    if (errno != EAGAIN || ::poll(&entry, 1, static_cast<int>(quiet.count())) <= 0) break;
  }
  return total;
}

Client::Try Client::try_receive() {
  char piece[kPieceBytes];
  const ssize_t count =
      tls_ != nullptr ? tls_->receive(piece) : ::recv(fd_, piece, sizeof(piece), 0);
  if (count > 0) {
    received_.append(piece, static_cast<size_t>(count));
    return Try::kCame;
  }
  if (count < 0 && (errno == EAGAIN || errno == EINTR)) return Try::kNothing;
  // Of TLS: a stream that is cut has ended, too; a reset is told by the socket.
  const bool is_reset = count < 0 && (tls_ == nullptr || was_reset(*tls_));
  end_ = is_reset ? End::kReset : End::kEof;
  return Try::kEnded;
}

bool Client::receive_some(Clock::time_point until) {
  while (true) {
    const Try result = try_receive();
    if (result != Try::kNothing) return result == Try::kCame;
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
      const ssize_t sent = send_some(bytes.substr(0, wanted));
      if (sent > 0) bytes.remove_prefix(static_cast<size_t>(sent));
      if (sent < 0 && errno != EAGAIN && errno != EINTR) bytes = {};  // receiving says more
    }
    Try result = Try::kCame;
    while (result == Try::kCame) result = try_receive();
    if (result == Try::kEnded) break;
  }
  return std::exchange(received_, {});
}

bool Client::readable_within(std::chrono::milliseconds time) {
  const Clock::time_point until = Clock::now() + time;
  while (received_.empty() && end_ == End::kOpen) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(until - Clock::now()).count();
    pollfd entry{fd_, POLLIN, 0};
    if (::poll(&entry, 1, static_cast<int>(std::max<int64_t>(left, 0))) <= 0) return false;
    if (tls_ == nullptr) return true;
    try_receive();  // it may be no more than a ticket
  }
  return true;
}

bool Client::wait_all_arrived() {
  return wait_until([this] {
    int unacknowledged = 0;
    return ::ioctl(fd_, SIOCOUTQ, &unacknowledged) != 0 || unacknowledged == 0;
  });
}

void Client::shutdown_write() {
  if (tls_ != nullptr) tls_->end();
  ::shutdown(fd_, SHUT_WR);
}

void Client::reset() {
  tls_.reset();
  set(fd_, SOL_SOCKET, SO_LINGER, linger{1, 0});
  close();
}

void Client::close() {
  if (tls_ != nullptr) tls_->end();
  tls_.reset();
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
