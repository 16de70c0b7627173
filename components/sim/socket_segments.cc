// What travels between the two ends of a connection, and what it does on arrival.
#include <sys/epoll.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "sim/network.h"
#include "sim/socket.h"

namespace trireme { inline namespace v0 { namespace sim {
namespace {

constexpr size_t kPiecesMax = 64;  // of one send, however small the segments are
constexpr uint32_t kReadableEvents = EPOLLIN | EPOLLPRI | EPOLLRDNORM | EPOLLRDBAND;

}  // namespace

void Socket::Received::append(std::string bytes) {
  if (all_.empty()) {
    all_ = std::move(bytes);
  } else {
    all_ += bytes;
  }
}

void Socket::Transit::add(Segment segment) {
  bytes_ += segment.bytes.size();
  segments_.push_back(std::move(segment));
}

Socket::Segment Socket::Transit::take() {
  Segment segment = std::move(segments_.front());
  segments_.pop_front();
  bytes_ -= segment.bytes.size();
  return segment;
}

void Socket::Transit::lose_last() {
  bytes_ -= segments_.back().bytes.size();
  segments_.pop_back();
}

void Socket::Transit::drop() {
  segments_.clear();
  bytes_ = 0;
}

void Socket::transmit(Segment::Kind kind, std::string bytes) {
  const auto peer = peer_;
  if (peer == nullptr) return;
  if (kind == Segment::Kind::kData) last_data_ = network_.scheduler.now();
  size_t piece_max = network_.faults.segment_bytes_max;
  if (piece_max == 0 || kind != Segment::Kind::kData) piece_max = bytes.size();
  if (piece_max < bytes.size() && !network_.scheduler.lets(FaultKind::kShortRead)) {
    piece_max = bytes.size();
  }
  piece_max = std::max({piece_max, bytes.size() / kPiecesMax, size_t{1}});
  size_t begin = 0;
  do {
    Segment segment{kind, {}, bytes.substr(begin, piece_max)};
    begin += piece_max;
    const TimePoint now = network_.scheduler.now();
    segment.due = peer->transit_.due_behind(now + network_.draw_delay());
    if (segment.due <= now && peer->transit_.is_empty()) {
      peer->deliver(std::move(segment));
      continue;
    }
    const TimePoint due = segment.due;
    peer->transit_.add(std::move(segment));
    network_.scheduler.at(due, [peer] { peer->deliver_due(); });
  } while (begin < bytes.size());
}

void Socket::transmit_reset() {
  const auto peer = peer_;
  if (peer == nullptr) return;
  if (network_.faults.reset_destroys && !peer->transit_.is_empty()) {
    uint64_t lost = network_.random.below(peer->transit_.count() + 1);
    if (lost > 0 && !network_.scheduler.lets(FaultKind::kLostBytes)) lost = 0;
    for (; lost > 0; --lost) peer->transit_.lose_last();
  }
  transmit(Segment::Kind::kReset, {});
}

void Socket::deliver_due() {
  const auto keep = shared_from_this();
  while (transit_.is_due(network_.scheduler.now())) deliver(transit_.take());
}

void Socket::deliver(Segment segment) {
  const auto keep = shared_from_this();
  switch (segment.kind) {
    case Segment::Kind::kEstablished:
      return on_established();
    case Segment::Kind::kData:
      return on_data(std::move(segment.bytes));
    case Segment::Kind::kFin:
      return on_fin();
    case Segment::Kind::kReset:
      return on_reset();
  }
}

void Socket::on_established() {
  if (state_ != State::kConnecting) {
    transmit_reset();  // the descriptor was closed, or shut down, before the answer came
    return;
  }
  state_ = State::kEstablished;
  notify(0);
}

void Socket::on_data(std::string bytes) {
  if (state_ != State::kEstablished) return;
  if (orphan_ || (directions_.receive_shut && directions_.fin_sent)) {
    transmit_reset();
    become_closed();
    if (orphan_) return;
    error_ = ECONNRESET;
    notify(0);
    return;
  }
  last_data_ = network_.scheduler.now();
  received_.append(std::move(bytes));
  notify(kReadableEvents);
}

void Socket::send_fin() {
  directions_.fin_sent = directions_.send_shut = true;
  transmit(Segment::Kind::kFin, {});
}

void Socket::on_fin() {
  if (state_ != State::kEstablished) return;
  directions_.fin_seen = directions_.receive_shut = true;
  const auto peer = peer_;
  if (directions_.fin_acknowledged) become_closed();
  notify(0);
  if (peer != nullptr) peer->on_fin_acknowledged();
}

void Socket::on_fin_acknowledged() {
  if (state_ != State::kEstablished) return;
  directions_.fin_acknowledged = true;
  if (directions_.fin_seen) become_closed();
  notify(0);
}

void Socket::on_reset() {
  const bool known = state_ == State::kEstablished || state_ == State::kConnecting;
  if (known && !orphan_) {
    if (state_ == State::kConnecting) {
      error_ = ECONNREFUSED;
    } else {
      error_ = directions_.fin_seen && !directions_.fin_sent ? EPIPE : ECONNRESET;
    }
  }
  transit_.drop();
  if (known) become_closed();
  cut_link();
  if (known) notify(0);
}

void Socket::refuse_connection(int error) {
  if (state_ != State::kConnecting) return;
  error_ = error;
  become_closed();
  notify(0);
}

void Socket::become_closed() {
  state_ = State::kClosed;
  directions_.receive_shut = directions_.send_shut = true;
}

void Socket::cut_link() {
  const auto peer = std::exchange(peer_, nullptr);
  if (peer == nullptr) return;
  // The other side's link to us was one of the owners of this object; the callers hold another.
  peer->peer_.reset();
}

}}}  // namespace trireme::sim
