#include "sim/network.h"

#include <cerrno>
#include <utility>

#include "sim/address.h"
#include "sim/fail.h"

namespace trireme { inline namespace v0 { namespace sim {
namespace {

constexpr int kSynTriesMax = 7;  // net.ipv4.tcp_syn_retries + 1: about two minutes
constexpr Duration kSynTimeout = std::chrono::seconds(1);
constexpr uint16_t kEphemeralFirst = 32'768;
constexpr uint16_t kEphemeralLast = 60'999;

void set_port(SocketAddress& address, uint16_t port) {
  sockaddr_in in{};
  std::memcpy(&in, &address.storage, sizeof(in));
  in.sin_port = htons(port);
  std::memcpy(&address.storage, &in, sizeof(in));
}

}  // namespace

Duration Network::draw_delay() {
  const Duration spread = faults.delay_max - faults.delay_min;
  if (spread <= Duration::zero()) return faults.delay_min;
  const Duration beyond(random.below(static_cast<uint64_t>(spread.count()) + 1));
  if (beyond == Duration::zero() || !scheduler.lets(FaultKind::kDelay)) return faults.delay_min;
  return faults.delay_min + beyond;
}

bool Network::conflicts(const Socket& socket, const SocketAddress& address, bool to_listen) const {
  const auto found = bound_.find(port_of(address));
  if (found == bound_.end()) return false;
  const Host host = Host::of(address);
  for (const Socket* other : found->second) {
    if (other == &socket) continue;
    const Host there = Host::of(other->local_);
    bool overlaps = false;
    if (host.is_v6 == there.is_v6) {
      overlaps = host.is_any || there.is_any || host.v4 == there.v4;
    } else {
      overlaps = (host.is_v6 && host.is_any && !socket.options_.v6_only) ||
                 (there.is_v6 && there.is_any && !other->options_.v6_only);
    }
    if (!overlaps) continue;
    if (socket.options_.reuse_port && other->options_.reuse_port) continue;
    const bool listening = other->state_ == Socket::State::kListening;
    if (to_listen && !listening) continue;
    if (socket.options_.reuse_address && other->options_.reuse_address && !listening) continue;
    return true;
  }
  return false;
}

uint16_t Network::next_port() {
  for (int tries = kEphemeralLast - kEphemeralFirst; tries >= 0; --tries) {
    last_port_ = last_port_ >= kEphemeralLast ? kEphemeralFirst : last_port_ + 1;
    if (!bound_.contains(last_port_)) return last_port_;
  }
  return 0;
}

int Network::bind(Socket& socket, SocketAddress& address) {
  const Host host = Host::of(address);
  if (!host.is_any && !host.is_loopback) return -EADDRNOTAVAIL;
  if (port_of(address) == 0) {
    const uint16_t port = next_port();
    if (port == 0) return -EADDRINUSE;
    set_port(address, port);
  } else if (conflicts(socket, address, false)) {
    return -EADDRINUSE;
  }
  bound_[port_of(address)].push_back(&socket);
  return 0;
}

int Network::check_listen(const Socket& socket) const {
  return conflicts(socket, socket.local_, true) ? -EADDRINUSE : 0;
}

void Network::forget(const Socket& socket) {
  const auto found = bound_.find(port_of(socket.local_));
  if (found == bound_.end()) return;
  std::erase(found->second, &socket);
  if (found->second.empty()) bound_.erase(found);
}

Socket* Network::find_listener(const SocketAddress& address) {
  const auto found = bound_.find(port_of(address));
  if (found == bound_.end()) return nullptr;
  const Host host = Host::of(address);
  std::vector<Socket*> exact;
  std::vector<Socket*> any;
  for (Socket* socket : found->second) {
    if (socket->state_ != Socket::State::kListening) continue;
    const Host there = Host::of(socket->local_);
    if (there.is_any && (there.is_v6 == host.is_v6 || (there.is_v6 && !socket->options_.v6_only))) {
      any.push_back(socket);
    } else if (there.is_v6 == host.is_v6 && there.v4 == host.v4 && !there.is_any) {
      exact.push_back(socket);
    }
  }
  const std::vector<Socket*>& best = exact.empty() ? any : exact;
  if (best.empty()) return nullptr;
  return best.size() == 1 ? best[0] : best[random.below(best.size())];  // SO_REUSEPORT
}

void Network::connect(const std::shared_ptr<Socket>& socket) {
  const Duration delay = draw_delay();
  if (delay == Duration::zero()) return arrive_syn(socket, 1);
  scheduler.at(scheduler.now() + delay, [this, socket] { arrive_syn(socket, 1); });
}

void Network::arrive_syn(const std::shared_ptr<Socket>& socket, int tries) {
  if (socket->state_ != Socket::State::kConnecting || socket->peer_ != nullptr) return;
  Socket* listener = find_listener(socket->remote_);
  if (listener == nullptr) return socket->refuse_connection(ECONNREFUSED);
  if (listener->accept_queue_.size() > static_cast<size_t>(listener->backlog_)) {
    // Linux drops the SYN of a full accept queue; the client sends it again, ever less often.
    const TimePoint again = scheduler.now() + kSynTimeout * (1 << (tries - 1));
    scheduler.at(again, [this, socket, tries] {
      if (tries == kSynTriesMax) return socket->refuse_connection(ETIMEDOUT);
      arrive_syn(socket, tries + 1);
    });
    return;
  }
  auto child = std::make_shared<Socket>(*this, listener->family_);
  child->options_.receive_buffer = listener->options_.receive_buffer;
  child->options_.send_buffer = listener->options_.send_buffer;
  child->state_ = Socket::State::kEstablished;
  child->connect_reported_ = true;
  child->bound_ = true;
  child->local_ = socket->remote_;
  child->remote_ = socket->local_;
  if (listener->family_ == AF_INET6 && !Host::of(socket->local_).is_v6) {
    const Host local = Host::of(socket->remote_);
    child->local_ = mapped_address(port_of(socket->remote_), local.v4);
    const Host remote = Host::of(socket->local_);
    child->remote_ = mapped_address(port_of(socket->local_), remote.v4);
  } else if (listener->family_ == AF_INET && socket->family_ == AF_INET6) {
    child->local_ = ipv4_address(port_of(socket->remote_), Host::of(socket->remote_).v4);
    child->remote_ = ipv4_address(port_of(socket->local_), Host::of(socket->local_).v4);
  }
  child->peer_ = socket;
  socket->peer_ = child;
  listener->accept_queue_.push_back(child);
  child->transmit(Socket::Segment::Kind::kEstablished, {});
  listener->notify(EPOLLIN | EPOLLPRI | EPOLLRDNORM | EPOLLRDBAND);
}

}}}  // namespace trireme::sim
