#include "sim/unix_socket.h"

#include <sys/epoll.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "sim/address.h"
#include "sim/fail.h"
#include "sim/network.h"

namespace trireme { inline namespace v0 { namespace sim {
namespace {

constexpr uint32_t kUmask = 022;
constexpr int kBacklogMax = 4'096;  // net.core.somaxconn
constexpr size_t kBufferBytesMin = 4'096;
constexpr uint32_t kChanceOf = 10'000;
constexpr Duration kSqueezeMax{200'000};
constexpr uint32_t kReadable = EPOLLIN | EPOLLRDNORM;
constexpr uint32_t kWritable = EPOLLOUT | EPOLLWRNORM | EPOLLWRBAND;
constexpr uint32_t kArrived = kReadable | EPOLLPRI | EPOLLRDBAND;

}  // namespace

UnixSocket::UnixSocket(Network& network, const Credentials& owner)
    : network_(network), owner_(owner), send_buffer_(network.nature.send_buffer) {
  local_.storage.ss_family = AF_UNIX;
  local_.size = sizeof(sa_family_t);
  remote_ = local_;
}

int UnixSocket::bind(const SocketAddress& address) {
  const std::string name = unix_name(address);
  if (address.storage.ss_family != AF_UNIX || name.empty()) return -EINVAL;
  if (network_.names.contains(name)) return -EADDRINUSE;
  if (local_.size > sizeof(sa_family_t)) return -EINVAL;
  const Network::Name made{this, ++network_.last_inode, mode_ & ~kUmask};
  network_.names.emplace(name, made);
  local_ = address;
  return 0;
}

int UnixSocket::listen(int backlog) {
  if (state_ != State::kFresh && state_ != State::kListening) return -EINVAL;
  if (local_.size <= sizeof(sa_family_t)) return -EINVAL;
  backlog_ = backlog < 0 ? kBacklogMax : std::min(backlog, kBacklogMax);
  state_ = State::kListening;
  return 0;
}

int UnixSocket::connect(const SocketAddress& address) {
  const std::string name = unix_name(address);
  if (address.storage.ss_family != AF_UNIX || name.empty()) return -EINVAL;
  const auto found = network_.names.find(name);
  if (found == network_.names.end()) return name.front() == '@' ? -ECONNREFUSED : -ENOENT;
  UnixSocket* const listener = found->second.socket;
  if (listener == nullptr || !listener->is_listening() || listener->receive_shut_)
    return -ECONNREFUSED;
  if (listener->accept_queue_.size() > static_cast<size_t>(listener->backlog_)) return -EAGAIN;
  if (state_ == State::kConnected) return -EISCONN;
  if (state_ != State::kFresh) return -EINVAL;
  auto child = std::make_shared<UnixSocket>(network_, listener->owner_);
  child->state_ = state_ = State::kConnected;
  child->local_ = listener->local_;
  child->remote_ = local_;
  child->peer_credentials_ = owner_;
  peer_credentials_ = listener->owner_;
  child->peer_ = shared_from_this();
  peer_ = child;
  listener->accept_queue_.push_back(std::move(child));
  listener->notify(kArrived);
  return 0;
}

int UnixSocket::accept(std::shared_ptr<StreamSocket>& connection, SocketAddress& peer) {
  if (state_ != State::kListening) return -EINVAL;
  if (accept_queue_.empty()) return -EAGAIN;  // also when it was shut
  peer = accept_queue_.front()->remote_;
  connection = std::move(accept_queue_.front());
  accept_queue_.pop_front();
  return 0;
}

int UnixSocket::set_option(int level, int name, int value) {
  if (level != SOL_SOCKET) return -EOPNOTSUPP;
  switch (name) {
    case SO_REUSEADDR:
    case SO_KEEPALIVE:
      return 0;
    case SO_REUSEPORT:
      return value != 0 ? -EOPNOTSUPP : 0;
    case SO_SNDBUF:
      send_buffer_ = std::max<size_t>(value < 0 ? 0 : value, kBufferBytesMin);
      return 0;
    case SO_RCVBUF:
      return 0;
    default:
      return -ENOPROTOOPT;
  }
}

int UnixSocket::set_text_option(int, int, std::string_view) { return -ENOPROTOOPT; }

int UnixSocket::take_error() { return std::exchange(error_, 0); }

ssize_t UnixSocket::receive(std::span<char> into) {
  if (state_ != State::kConnected) return -EINVAL;
  size_t size = 0;
  while (size < into.size() && !received_.empty()) {
    const std::string& piece = received_.front();
    const size_t take = std::min(into.size() - size, piece.size() - front_taken_);
    std::memcpy(into.data() + size, piece.data() + front_taken_, take);
    size += take;
    front_taken_ += take;
    if (front_taken_ < piece.size()) break;
    if (peer_ != nullptr) {
      peer_->in_use_ -= piece.size();
      peer_->announce_room();
    }
    received_.pop_front();
    front_taken_ = 0;
  }
  unread_bytes_ -= size;
  if (size > 0) return static_cast<ssize_t>(size);
  if (error_ != 0) return -take_error();
  return receive_shut_ ? 0 : -EAGAIN;
}

ssize_t UnixSocket::send(std::span<const iovec> from) {
  if (state_ != State::kConnected) return -ENOTCONN;
  if (send_shut_) return -EPIPE;
  size_t total = 0;
  for (const iovec& piece : from) total += piece.iov_len;
  if (total == 0) return 0;
  size_t room = squeezed_ || in_use_ >= send_buffer_ ? 0 : std::min(total, send_buffer_ - in_use_);
  if (room > 0 && total > 1 && network_.random.chance(network_.faults.send_squeezed, kChanceOf) &&
      network_.scheduler.lets(FaultKind::kShortWrite)) {
    squeezed_ = true;
    room = std::min<size_t>(room, network_.random.below(total));
    const auto length = network_.random.below(static_cast<uint64_t>(kSqueezeMax.count()));
    network_.scheduler.at(network_.scheduler.now() + Duration(length + 1),
                          [self = shared_from_this()] {
                            self->squeezed_ = false;
                            self->announce_room();
                          });
  }
  if (room == 0) return -EAGAIN;
  std::string bytes;
  bytes.reserve(room);
  for (const iovec& piece : from) {
    const size_t take = std::min(piece.iov_len, room - bytes.size());
    bytes.append(static_cast<const char*>(piece.iov_base), take);
  }
  in_use_ += room;
  peer_->unread_bytes_ += room;
  peer_->received_.push_back(std::move(bytes));
  peer_->notify(kArrived);
  return static_cast<ssize_t>(room);
}

ssize_t UnixSocket::bytes_readable() const {
  if (state_ == State::kListening) return -EINVAL;
  return static_cast<ssize_t>(unread_bytes_);
}

void UnixSocket::announce_later() {
  const auto length = network_.random.below(static_cast<uint64_t>(kSqueezeMax.count()));
  network_.scheduler.at(network_.scheduler.now() + Duration(length + 1),
                        [self = shared_from_this()] { self->notify(kArrived); });
}

// What was sent is at the peer.
ssize_t UnixSocket::bytes_unsent() const { return 0; }

void UnixSocket::shut(bool receiving, bool sending) {
  receive_shut_ = receive_shut_ || receiving;
  send_shut_ = send_shut_ || sending;
}

int UnixSocket::shutdown(int how) {
  if (how != SHUT_RD && how != SHUT_WR && how != SHUT_RDWR) return -EINVAL;
  const bool receiving = how != SHUT_WR, sending = how != SHUT_RD;
  shut(receiving, sending);
  if (peer_ == nullptr) return 0;
  const auto peer = peer_;
  peer->shut(sending, receiving);
  peer->notify(0);
  return 0;
}

void UnixSocket::lose_peer(bool with_unread) {
  peer_.reset();
  in_use_ = 0;
  shut(true, true);
  if (with_unread) error_ = ECONNRESET;
  notify(0);
}

void UnixSocket::close_descriptor() {
  if (state_ == State::kClosed) fail("a socket was closed twice.");
  const auto keep = shared_from_this();
  const std::string name = unix_name(local_);
  const auto found = network_.names.find(name);
  if (found != network_.names.end() && found->second.socket == this) {
    found->second.socket = nullptr;
    if (name.front() == '@') network_.names.erase(found);
  }
  const bool left_unread = unread_bytes_ > 0;
  state_ = State::kClosed;
  received_.clear();
  if (const auto peer = std::exchange(peer_, nullptr)) peer->lose_peer(left_unread);
  for (const auto& child : std::exchange(accept_queue_, {})) {
    // Nobody has accepted it: to its client that is as if something had been left unread.
    child->state_ = State::kClosed;
    if (const auto peer = std::exchange(child->peer_, nullptr)) peer->lose_peer(true);
  }
}

uint32_t UnixSocket::poll() {
  if (state_ == State::kListening) {
    return (accept_queue_.empty() ? 0 : kReadable) | (receive_shut_ ? kReadable | EPOLLRDHUP : 0u) |
           (receive_shut_ && send_shut_ ? EPOLLHUP : 0u);
  }
  uint32_t events = 0;
  if (error_ != 0) events |= EPOLLERR;
  if ((receive_shut_ && send_shut_) || state_ != State::kConnected) events |= EPOLLHUP;
  if (receive_shut_) events |= kReadable | EPOLLRDHUP;
  if (unread_bytes_ > 0) events |= kReadable;
  if (is_writable()) events |= kWritable;
  return events;
}

bool UnixSocket::is_writable() const { return !squeezed_ && in_use_ * 4 <= send_buffer_; }

void UnixSocket::announce_room() {
  if (state_ == State::kConnected && is_writable()) notify(kWritable);
}

}}}  // namespace trireme::sim
