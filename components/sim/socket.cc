#include "sim/socket.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "sim/address.h"
#include "sim/fail.h"
#include "sim/network.h"

namespace trireme { inline namespace v0 { namespace sim {
namespace {

constexpr int kBacklogMax = 4'096;  // net.core.somaxconn
constexpr size_t kBufferBytesMin = 2'048;
constexpr uint32_t kChanceOf = 10'000;
constexpr Duration kSqueezeMax{200'000};
constexpr uint32_t kReadable = EPOLLIN | EPOLLRDNORM;
constexpr uint32_t kWritable = EPOLLOUT | EPOLLWRNORM;

}  // namespace

Socket::Socket(Network& network, int family)
    : network_(network),
      family_(family),
      options_{.receive_buffer = network.nature.receive_buffer,
               .send_buffer = network.nature.send_buffer},
      transit_(network.scheduler.now()),
      last_data_(network.scheduler.now()) {
  local_.storage.ss_family = static_cast<sa_family_t>(family);
  local_.size = family == AF_INET ? sizeof(sockaddr_in) : sizeof(sockaddr_in6);
}

int Socket::bind(const SocketAddress& address) {
  if (bound_ || state_ != State::kFresh) return -EINVAL;
  if (family_ == AF_INET6 && address.size < sizeof(sockaddr_in6)) return -EINVAL;
  if (address.storage.ss_family != family_) return family_ == AF_INET ? -EAFNOSUPPORT : -EINVAL;
  SocketAddress filled = address;
  const int error = network_.bind(*this, filled);
  if (error != 0) return error;
  local_ = filled;
  bound_ = true;
  return 0;
}

int Socket::listen(int backlog) {
  if (state_ != State::kFresh && state_ != State::kListening) return -EINVAL;
  backlog_ = backlog < 0 ? kBacklogMax : std::min(backlog, kBacklogMax);
  if (state_ == State::kListening) return 0;
  if (!bound_) {
    SocketAddress any = local_;
    if (const int error = network_.bind(*this, any); error != 0) return error;
    local_ = any;
    bound_ = true;
  }
  if (const int error = network_.check_listen(*this); error != 0) return error;
  state_ = State::kListening;
  directions_.receive_shut = directions_.send_shut = false;
  return 0;
}

int Socket::connect(const SocketAddress& address) {
  switch (state_) {
    case State::kListening:
      return -EISCONN;
    case State::kConnecting:
      return -EALREADY;
    case State::kEstablished:
      if (connect_reported_) return -EISCONN;
      connect_reported_ = true;
      return 0;
    case State::kClosed: {
      if (connect_reported_) return -EISCONN;
      const int error = take_error();
      state_ = State::kFresh;
      directions_ = {};
      return error != 0 ? -error : -ECONNABORTED;
    }
    case State::kFresh:
      break;
  }
  if (address.storage.ss_family != family_) return family_ == AF_INET ? -EAFNOSUPPORT : -EINVAL;
  const Host host = Host::of(address);
  if (!host.is_any && !host.is_loopback) return -ENETUNREACH;
  remote_ = address;
  if (host.is_any) {
    remote_ = host.is_v6 ? ipv6_address(port_of(address)) : ipv4_address(port_of(address));
  }
  SocketAddress local = local_;
  if (!bound_) {
    if (const int error = network_.bind(*this, local); error != 0) return error;
    bound_ = true;
  }
  if (Host::of(local).is_any) {
    const uint16_t port = port_of(local);
    local = family_ == AF_INET ? ipv4_address(port)
            : host.is_v6       ? ipv6_address(port)
                               : mapped_address(port, INADDR_LOOPBACK);
  }
  local_ = local;
  state_ = State::kConnecting;
  network_.connect(shared_from_this());
  return -EINPROGRESS;  // always on Linux, even when the answer is there before the call returns
}

int Socket::accept(std::shared_ptr<StreamSocket>& connection, SocketAddress& peer) {
  if (state_ != State::kListening) return -EINVAL;
  if (accept_queue_.empty()) return -EAGAIN;
  peer = accept_queue_.front()->remote_;
  connection = std::move(accept_queue_.front());
  accept_queue_.pop_front();
  return 0;
}

int Socket::set_option(int level, int name, int value) {
  if (level == SOL_SOCKET) {
    switch (name) {
      case SO_REUSEADDR:
        options_.reuse_address = value != 0;
        return 0;
      case SO_REUSEPORT:
        options_.reuse_port = value != 0;
        return 0;
      case SO_KEEPALIVE:
      case SO_INCOMING_CPU:
      case SO_BUSY_POLL:
        return 0;
      case SO_SNDBUF:
        options_.send_buffer = std::max<size_t>(value < 0 ? 0 : value, kBufferBytesMin);
        return 0;
      case SO_RCVBUF:
        options_.receive_buffer = std::max<size_t>(value < 0 ? 0 : value, kBufferBytesMin);
        return 0;
      default:
        return -ENOPROTOOPT;
    }
  }
  if (level == IPPROTO_IPV6 && name == IPV6_V6ONLY && family_ == AF_INET6) {
    if (bound_) return -EINVAL;
    options_.v6_only = value != 0;
    return 0;
  }
  if (level != IPPROTO_TCP) return -ENOPROTOOPT;
  switch (name) {
    case TCP_NODELAY:
    case TCP_CORK:
    case TCP_KEEPIDLE:
    case TCP_KEEPINTVL:
    case TCP_KEEPCNT:
    case TCP_USER_TIMEOUT:
    case TCP_DEFER_ACCEPT:
    case TCP_QUICKACK:
    case TCP_FASTOPEN:
    case TCP_NOTSENT_LOWAT:
      return 0;
    default:
      return -ENOPROTOOPT;
  }
}

int Socket::set_text_option(int level, int name, std::string_view value) {
  if (level != SOL_SOCKET || name != SO_BINDTODEVICE) return -ENOPROTOOPT;
  return value.empty() || value == "lo" ? 0 : -ENODEV;
}

int Socket::take_error() { return std::exchange(error_, 0); }

size_t Socket::Received::take(std::span<char> into) {
  const size_t size = std::min(into.size(), bytes());
  if (size == 0) return 0;
  std::memcpy(into.data(), all_.data() + taken_, size);
  taken_ += size;
  if (taken_ == all_.size()) {
    drop();
  } else if (taken_ > all_.size() / 2) {
    all_.erase(0, taken_);
    taken_ = 0;
  }
  return size;
}

ssize_t Socket::receive(std::span<char> into) {
  if (state_ == State::kListening) return -ENOTCONN;
  if (const size_t size = received_.take(into); size > 0) {
    if (peer_ != nullptr) peer_->announce_room();
    return static_cast<ssize_t>(size);
  }
  if (directions_.fin_seen) return 0;
  if (error_ != 0) return -take_error();
  if (directions_.receive_shut) return 0;
  return is_closed() ? -ENOTCONN : -EAGAIN;
}

ssize_t Socket::send(std::span<const iovec> from) {
  if (state_ == State::kConnecting) return -EAGAIN;
  if (state_ != State::kEstablished || directions_.send_shut) {
    return error_ != 0 ? -take_error() : -EPIPE;
  }
  size_t total = 0;
  for (const iovec& piece : from) total += piece.iov_len;
  if (total == 0) return 0;
  size_t room = std::min(total, room_to_send());
  if (!squeezed_ && total > 1 && network_.random.chance(network_.faults.send_squeezed, kChanceOf) &&
      network_.scheduler.lets(FaultKind::kShortWrite)) {
    squeezed_ = true;
    room = std::min<size_t>(room, network_.random.below(total));
    const auto length = network_.random.below(static_cast<uint64_t>(kSqueezeMax.count()));
    network_.scheduler.at(network_.scheduler.now() + Duration(length + 1),
                          [self = shared_from_this()] {
                            self->squeezed_ = false;
                            self->announce_room();
                          });
  } else if (squeezed_) {
    room = 0;
  }
  if (room < total) wants_room_ = true;
  if (room == 0) return -EAGAIN;
  std::string bytes;
  bytes.reserve(room);
  for (const iovec& piece : from) {
    const size_t take = std::min(piece.iov_len, room - bytes.size());
    bytes.append(static_cast<const char*>(piece.iov_base), take);
  }
  transmit(Segment::Kind::kData, std::move(bytes));
  return static_cast<ssize_t>(room);
}

ssize_t Socket::bytes_readable() const {
  if (state_ == State::kListening) return -EINVAL;
  return static_cast<ssize_t>(unread_bytes());
}

void Socket::announce_later() {
  const auto length = network_.random.below(static_cast<uint64_t>(kSqueezeMax.count()));
  network_.scheduler.at(network_.scheduler.now() + Duration(length + 1),
                        [self = shared_from_this()] { self->notify(kReadable); });
}

ssize_t Socket::bytes_unsent() const {
  if (state_ == State::kListening) return -EINVAL;
  if (peer_ == nullptr) return 0;
  // What the peer holds beyond its receive buffer is in our send buffer.
  const size_t unread = peer_->unread_bytes();
  const size_t beyond =
      unread > peer_->options_.receive_buffer ? unread - peer_->options_.receive_buffer : 0;
  return static_cast<ssize_t>(peer_->transit_.bytes() + beyond);
}

int64_t Socket::quiet_ms() const {
  if (state_ == State::kListening) return -EINVAL;
  const Duration quiet = network_.scheduler.now() - last_data_;
  return std::chrono::floor<std::chrono::milliseconds>(quiet).count();
}

int Socket::shutdown(int how) {
  if (how != SHUT_RD && how != SHUT_WR && how != SHUT_RDWR) return -EINVAL;
  int result = 0;
  if (state_ == State::kListening) {
    if (how != SHUT_WR) {
      close_listener();
      state_ = State::kFresh;
    }
  } else if (state_ == State::kConnecting) {
    state_ = State::kFresh;
    error_ = ECONNRESET;
  } else {
    if (is_closed()) result = -ENOTCONN;
    if (how != SHUT_WR) directions_.receive_shut = true;
    if (how != SHUT_RD) {
      if (state_ == State::kEstablished && !directions_.fin_sent) {
        send_fin();
      } else {
        directions_.send_shut = true;
      }
    }
  }
  notify(0);
  return result;
}

void Socket::close_listener() {
  // The children hear of it one by one; new ones cannot come, the state has changed before.
  state_ = State::kClosed;
  for (const auto& child : std::exchange(accept_queue_, {})) child->reset_descriptor();
}

void Socket::reset_descriptor() {
  if (state_ == State::kEstablished) {
    transmit_reset();
    become_closed();
  }
  close_descriptor();
}

void Socket::close_descriptor() {
  if (orphan_) fail("a socket was closed twice.");
  const auto keep = shared_from_this();
  network_.forget(*this);
  orphan_ = true;
  if (state_ == State::kListening) {
    close_listener();
  } else if (state_ == State::kConnecting) {
    transmit_reset();
    become_closed();
  } else if (state_ == State::kEstablished && unread_bytes() > 0) {
    transmit_reset();
    become_closed();
  } else if (state_ == State::kEstablished && !directions_.fin_sent) {
    send_fin();
  }
  received_.drop();
  if (peer_ != nullptr && peer_->orphan_) cut_link();
}

uint32_t Socket::poll() {
  if (state_ == State::kListening) return accept_queue_.empty() ? 0 : kReadable;
  uint32_t events = 0;
  if (is_closed() || (directions_.receive_shut && directions_.send_shut)) events |= EPOLLHUP;
  if (directions_.receive_shut) events |= kReadable | EPOLLRDHUP;
  if (state_ != State::kConnecting) {
    if (unread_bytes() > 0) events |= kReadable;
    if (directions_.send_shut || is_writable()) {
      events |= kWritable;
    } else {
      wants_room_ = true;
    }
  }
  if (error_ != 0) events |= EPOLLERR;
  return events;
}

size_t Socket::room_to_send() const {
  if (peer_ == nullptr) return 0;
  const size_t capacity = options_.send_buffer + peer_->options_.receive_buffer;
  const size_t used = peer_->transit_.bytes() + peer_->unread_bytes();
  return used < capacity ? capacity - used : 0;
}

bool Socket::is_writable() {
  if (squeezed_) return false;
  if (peer_ == nullptr) return true;
  return room_to_send() * 3 >= options_.send_buffer + peer_->options_.receive_buffer;
}

void Socket::announce_room() {
  if (!wants_room_ || orphan_ || !is_writable()) return;
  wants_room_ = false;
  notify(kWritable);
}

}}}  // namespace trireme::sim
