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
constexpr uint32_t kReadable = EPOLLIN | EPOLLPRI | EPOLLRDNORM | EPOLLRDBAND;

}  // namespace

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
    segment.due = std::max(peer->last_due_, now + network_.draw_delay());
    peer->last_due_ = segment.due;
    if (segment.due <= now && peer->transit_.empty()) {
      peer->deliver(std::move(segment));
      continue;
    }
    peer->transit_bytes_ += segment.bytes.size();
    const TimePoint due = segment.due;
    peer->transit_.push_back(std::move(segment));
    network_.scheduler.at(due, [peer] { peer->deliver_due(); });
  } while (begin < bytes.size());
}

void Socket::transmit_reset() {
  const auto peer = peer_;
  if (peer == nullptr) return;
  if (network_.faults.reset_destroys && !peer->transit_.empty()) {
    uint64_t lost = network_.random.below(peer->transit_.size() + 1);
    if (lost > 0 && !network_.scheduler.lets(FaultKind::kLostBytes)) lost = 0;
    for (; lost > 0; --lost) {
      peer->transit_bytes_ -= peer->transit_.back().bytes.size();
      peer->transit_.pop_back();
    }
  }
  transmit(Segment::Kind::kReset, {});
}

void Socket::deliver_due() {
  const auto keep = shared_from_this();
  while (!transit_.empty() && transit_.front().due <= network_.scheduler.now()) {
    Segment segment = std::move(transit_.front());
    transit_.pop_front();
    transit_bytes_ -= segment.bytes.size();
    deliver(std::move(segment));
  }
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
  if (orphan_ || (receive_shut_ && fin_sent_)) {
    transmit_reset();
    become_closed();
    if (orphan_) return;
    error_ = ECONNRESET;
    notify(0);
    return;
  }
  last_data_ = network_.scheduler.now();
  if (received_.empty()) {
    received_ = std::move(bytes);
  } else {
    received_ += bytes;
  }
  notify(kReadable);
}

void Socket::send_fin() {
  fin_sent_ = send_shut_ = true;
  transmit(Segment::Kind::kFin, {});
}

void Socket::on_fin() {
  if (state_ != State::kEstablished) return;
  fin_seen_ = receive_shut_ = true;
  const auto peer = peer_;
  if (fin_acknowledged_) become_closed();
  notify(0);
  if (peer != nullptr) peer->on_fin_acknowledged();
}

void Socket::on_fin_acknowledged() {
  if (state_ != State::kEstablished) return;
  fin_acknowledged_ = true;
  if (fin_seen_) become_closed();
  notify(0);
}

void Socket::on_reset() {
  const bool known = state_ == State::kEstablished || state_ == State::kConnecting;
  if (known && !orphan_) {
    if (state_ == State::kConnecting) {
      error_ = ECONNREFUSED;
    } else {
      error_ = fin_seen_ && !fin_sent_ ? EPIPE : ECONNRESET;
    }
  }
  transit_.clear();
  transit_bytes_ = 0;
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
  receive_shut_ = send_shut_ = true;
}

void Socket::cut_link() {
  const auto peer = std::exchange(peer_, nullptr);
  if (peer == nullptr) return;
  // The other side's link to us was one of the owners of this object; the callers hold another.
  peer->peer_.reset();
}

}}}  // namespace trireme::sim
