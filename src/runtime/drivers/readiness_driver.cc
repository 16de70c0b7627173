#include "runtime/drivers/readiness_driver.h"

#include <algorithm>
#include <cerrno>
#include <utility>

#include "runtime/check.h"
#include "runtime/system/real_calls.h"

namespace trireme { inline namespace v0 {
namespace {

// Channel::flags
constexpr uint8_t kInSet = 1;           // registered with the poller
constexpr uint8_t kWantsRead = 2;       // receive(), not pause()
constexpr uint8_t kWantsWrite = 4;      // a send was cut short
constexpr uint8_t kEnded = 8;           // end of stream or error was told
constexpr uint8_t kReadable = 16;       // may have bytes although no event is due
constexpr uint8_t kReadQueued = 32;     // in reads_
constexpr uint8_t kClosing = 64;        // closed, kClosed is due
constexpr uint8_t kMoreThanData = 128;  // edge-triggered: an end or error was told, maybe unread

constexpr Duration kReturnLost = std::chrono::milliseconds(10);
constexpr uint32_t kHangUpBits = EPOLLHUP | EPOLLERR;

// Channel::interest: the bits of epoll that we use, in a byte.
constexpr uint8_t kInterestRead = 1, kInterestWrite = 2;

uint32_t epoll_bits(uint8_t interest) {
  return ((interest & kInterestRead) ? EPOLLIN | EPOLLRDHUP : 0u) |
         ((interest & kInterestWrite) ? EPOLLOUT : 0u);
}

uint8_t wanted_interest(const Channel& channel) {
  return static_cast<uint8_t>(((channel.flags & kWantsRead) ? kInterestRead : 0) |
                              ((channel.flags & kWantsWrite) ? kInterestWrite : 0));
}

// `pieces` without their first `bytes`, copied to `storage` (which they may already be in).
std::span<const iovec> drop_front(std::span<const iovec> pieces, size_t bytes,
                                  std::span<iovec> storage) {
  size_t kept = 0;
  for (iovec piece : pieces) {
    const size_t gone = std::min(bytes, piece.iov_len);
    bytes -= gone;
    if (gone == piece.iov_len) continue;
    storage[kept++] = {static_cast<char*>(piece.iov_base) + gone, piece.iov_len - gone};
  }
  return storage.first(kept);
}

}  // namespace

ReadinessDriver::ReadinessDriver(Kernel& kernel, Buffers& buffers, LoopCounters& counters,
                                 DriverKind kind)
    : kernel_(kernel),
      counters_(counters),
      poller_(make_poller(kind, kernel)),
      edge_triggered_(poller_->edge_triggered()),
      clears_signals_(!poller_->tells_signals_once()),
      read_buffer_(buffers.make_fixed(kReadBufferBytes)) {}

ReadinessDriver::~ReadinessDriver() {
  if (wake_fd_ >= 0) kernel_.close(wake_fd_);
}

int ReadinessDriver::open() {
  wake_fd_ = kernel_.event_create();
  return wake_fd_ < 0 ? wake_fd_ : poller_->open(wake_fd_);
}

Driver::Traits ReadinessDriver::traits() const {
  return {
      .name = poller_->name(), .loop_may_move = true, .worker_may_write = true, .listens = true};
}

void ReadinessDriver::wait(TimePoint now, TimePoint until) {
  CHECK(event_cursor_ == event_count_ && !has_early_, "wait before all completions were taken");
  for (Channel* channel : ended_) update_interest(*channel);
  ended_.clear();
  if (!lost_.empty()) {
    if (now >= return_at_) return_lost(now);
    if (!lost_.empty()) until = std::min(until, return_at_);
  }
  int timeout_ms = reads_.has_next() || closed_ != nullptr || until <= now ? 0 : -1;
  if (timeout_ms != 0 && until != kNever) {
    // Rounded up: a timeout of 0.4 ms must not become a spin.
    const auto ms = std::chrono::ceil<std::chrono::milliseconds>(until - now).count();
    timeout_ms = static_cast<int>(std::min<int64_t>(ms, 3'600'000));
  }
  int count = poller_->wait(events_, timeout_ms);
  while (count == -EINTR) count = poller_->wait(events_, 0);  // it had looked at nothing
  CHECK(count >= 0, "waiting failed");
  event_count_ = static_cast<size_t>(count);
  event_cursor_ = 0;
  event_bits_ = 0;
  reads_.begin_turn();
}

// This one and the next are inlined, and stand above the one place where they matter, for the
// reason in real_calls.h.
[[gnu::always_inline]] inline bool ReadinessDriver::receive_one(Channel& channel, Completion& out) {
  const std::span<char> into = read_buffer_.span().first(receive_bytes_max_);
  ssize_t result = 0;
  do {
    result = kernel_.is_real() ? real_receive(channel.fd, into) : kernel_.receive(channel.fd, into);
  } while (result == -EINTR);
  if (result == -EAGAIN) {
    channel.flags &= static_cast<uint8_t>(~(kReadable | kMoreThanData));
    return false;
  } else if (result <= 0) {
    channel.flags |= kEnded;
    channel.flags &= static_cast<uint8_t>(~(kReadable | kWantsRead));
    if (result < 0) {
      leave_set(channel);
    } else if (!edge_triggered_) {
      ended_.push_back(&channel);  // most are closed before the next wait: no call for those
    }
  } else {
    // A short read means that there is nothing more to come only where the end of the stream would
    // be told anew. An edge that told of it may lie back: it came while the channel was paused.
    const bool drained = static_cast<size_t>(result) < into.size() && (channel.flags & kInSet) &&
                         !(channel.flags & kMoreThanData);
    if (drained) {
      channel.flags &= static_cast<uint8_t>(~kReadable);
    } else if (edge_triggered_ || !(channel.flags & kInSet)) {
      queue_read(channel);
    }
  }
  if (result > 0) counters_.bytes_in.add(static_cast<uint64_t>(result));
  out = {.kind = Completion::Kind::kReceived,
         .channel = &channel,
         .result = static_cast<int32_t>(result),
         .bytes = into.first(result > 0 ? static_cast<size_t>(result) : 0)};
  return true;
}

// One who speaks alone is asked by receiving, a system call less than to ask the poller first.
void ReadinessDriver::look(TimePoint now) {
  constexpr uint8_t kReads = kInSet | kWantsRead;
  Channel* speaker = sole_speaker_.to_ask(now);
  if (speaker != nullptr &&
      (speaker->flags & (kReads | kEnded | kClosing | kReadQueued)) == kReads) {
    event_count_ = event_cursor_ = 0;
    reads_.drop_turn();
    has_early_ = receive_one(*speaker, early_);
    return;
  }
  sole_speaker_.looks_at_all(now);
  wait(now, now);
  for (size_t i = 0; i < event_count_; ++i)
    sole_speaker_.has_spoken(static_cast<Channel*>(events_[i].data.ptr));
}

// Takes one completion out of the event at the cursor. event_bits_ says what is left of it.
[[gnu::always_inline]] inline bool ReadinessDriver::next_of_event(Channel& channel,
                                                                  Completion& out) {
  const uint32_t bits = event_bits_;
  if (channel.flags & kClosing) {
    event_bits_ = 0;
    return false;
  }
  if (channel.role == Channel::Role::kListener) {
    event_bits_ = 0;
    if (!(channel.flags & kWantsRead)) return false;
    out = {.kind = Completion::Kind::kAcceptable, .channel = &channel};
    return true;
  }
  if ((bits & EPOLLOUT) && (channel.flags & kWantsWrite)) {
    event_bits_ &= ~uint32_t{EPOLLOUT};
    channel.flags &= static_cast<uint8_t>(~kWantsWrite);
    update_interest(channel);
    out = {.kind = Completion::Kind::kWritable, .channel = &channel};
    return true;
  }
  event_bits_ = 0;
  if (!(bits & (EPOLLIN | EPOLLRDHUP | EPOLLPRI | kHangUpBits))) return false;
  if (channel.flags & kEnded) return (bits & kHangUpBits) && hung_up(channel, out);
  channel.flags |= kReadable;
  if (edge_triggered_ && (bits & (EPOLLRDHUP | EPOLLPRI | kHangUpBits)))
    channel.flags |= kMoreThanData;
  if (!(channel.flags & kWantsRead)) return (bits & kHangUpBits) && hung_up(channel, out);
  return receive_one(channel, out);
}

bool ReadinessDriver::next(Completion& out) {
  if (std::exchange(has_early_, false)) {
    out = early_;
    return true;
  }
  while (event_cursor_ < event_count_) {
    epoll_event& event = events_[event_cursor_];
    auto* channel = static_cast<Channel*>(event.data.ptr);
    if (event_bits_ == 0) event_bits_ = event.events;
    if (channel == nullptr) {
      // EAGAIN and EINTR are harmless: a wake-up is a hint.
      if (clears_signals_) kernel_.event_clear(wake_fd_);
      event_bits_ = 0;
    } else if (next_of_event(*channel, out)) {
      if (event_bits_ == 0) ++event_cursor_;
      return true;
    }
    if (event_bits_ == 0) ++event_cursor_;
  }
  while (Channel* const channel = reads_.take()) {
    channel->flags &= static_cast<uint8_t>(~kReadQueued);
    if (channel->flags & kEnded) continue;
    const bool reads = channel->flags & kWantsRead;
    const bool failed = !reads && (channel->flags & kMoreThanData);
    if (reads && receive_one(*channel, out)) return true;
    if (failed && failed_while_paused(*channel, out)) return true;
  }
  if (closed_ == nullptr) return false;
  out = {.kind = Completion::Kind::kClosed,
         .channel = std::exchange(closed_, closed_->next_closed)};
  out.channel->flags = 0;
  out.channel->next_closed = nullptr;
  return true;
}

// HUP or ERR for a channel that does not read: it leaves the set, or the loop would spin. An error
// is told; a mere HUP (both directions ended) is found by the next receive.
bool ReadinessDriver::hung_up(Channel& channel, Completion& out) {
  if (failed_while_paused(channel, out)) return true;
  leave_set(channel);
  return false;
}

// Edge-triggered, too: it was paused between the edge that told of an end or an error and the read
// that would have found it. No further edge comes, so an error is told now.
bool ReadinessDriver::failed_while_paused(Channel& channel, Completion& out) {
  const int error = kernel_.socket_error(channel.fd);
  if (error == 0) return false;
  leave_set(channel);
  channel.flags |= kEnded;
  channel.flags &= static_cast<uint8_t>(~(kReadable | kWantsRead | kWantsWrite));
  out = {.kind = Completion::Kind::kReceived, .channel = &channel, .result = -error};
  return true;
}

void ReadinessDriver::queue_read(Channel& channel) {
  channel.flags |= kReadable;
  if (channel.flags & kReadQueued) return;
  channel.flags |= kReadQueued;
  reads_.add(channel);
}

void ReadinessDriver::update_interest(Channel& channel) {
  if (edge_triggered_ && channel.role == Channel::Role::kStream)
    return;  // registered once, for everything
  if (!(channel.flags & kInSet)) return;
  const uint8_t wanted = wanted_interest(channel);
  if (wanted == channel.interest) return;
  if (poller_->modify(channel, epoll_bits(wanted)) == 0) {
    channel.interest = wanted;
    return;
  }
  // ENOMEM at most. The channel cannot be waited for in this way: it leaves the set and comes back
  // soon.
  leave_set(channel);
  lost_.push_back(&channel);
}

// Registers again what a failed change has thrown out.
void ReadinessDriver::return_lost(TimePoint now) {
  std::erase_if(lost_, [this](Channel* channel) {
    const uint8_t wanted = wanted_interest(*channel);
    if (poller_->add(*channel, channel->fd, epoll_bits(wanted)) < 0) return false;
    channel->flags |= kInSet;
    channel->interest = wanted;
    return true;
  });
  return_at_ = now + kReturnLost;
}

void ReadinessDriver::leave_set(Channel& channel) {
  if (!(channel.flags & kInSet)) return;
  poller_->remove(channel);
  channel.flags &= static_cast<uint8_t>(~kInSet);
  channel.interest = 0;
}

int ReadinessDriver::attach(Channel& channel, Channel::Role role, int fd) {
  CHECK(channel.fd == -1 && channel.flags == 0, "a channel is attached twice");
  uint32_t bits = epoll_bits(kInterestRead);
  if (role == Channel::Role::kListener) bits = EPOLLIN;
  if (edge_triggered_ && role == Channel::Role::kStream)
    bits = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLPRI | EPOLLET;
  const int result = poller_->add(channel, fd, bits);
  if (result < 0) {
    kernel_.close_socket(fd, channel.is_shared);
    counters_.descriptors_closed.add();
    return result;
  }
  channel.role = role;
  channel.fd = fd;
  channel.flags = kInSet | kWantsRead;
  channel.interest = kInterestRead;
  return 0;
}

void ReadinessDriver::receive(Channel& channel) {
  if (channel.flags & (kWantsRead | kEnded | kClosing)) return;
  channel.flags |= kWantsRead;
  const bool is_stream = channel.role == Channel::Role::kStream;  // a listener has nothing to read
  if (is_stream &&
      (!(channel.flags & kInSet) || (edge_triggered_ && (channel.flags & kReadable)))) {
    queue_read(channel);
  }
  update_interest(channel);
}

void ReadinessDriver::pause(Channel& channel) {
  if (!(channel.flags & kWantsRead)) return;
  channel.flags &= static_cast<uint8_t>(~kWantsRead);
  update_interest(channel);
}

Sent ReadinessDriver::send(Channel& channel, std::span<const iovec> pieces) {
  size_t total = 0;
  for (const iovec& piece : pieces) total += piece.iov_len;
  const ssize_t result = kernel_.is_real() && pieces.size() == 1 ? real_send(channel.fd, pieces[0])
                                                                 : kernel_.send(channel.fd, pieces);
  if (result == static_cast<ssize_t>(total)) {
    counters_.bytes_out.add(total);
    return {.bytes = total, .error = 0};
  }
  return send_rest(channel, pieces, total, result);
}

// `result` is what the first call of send has said: not all of it has left.
Sent ReadinessDriver::send_rest(Channel& channel, std::span<const iovec> pieces, size_t total,
                                ssize_t result) {
  constexpr size_t kPiecesMax = 64;
  CHECK(pieces.size() <= kPiecesMax, "a send of too many pieces");
  size_t sent = 0;
  std::array<iovec, kPiecesMax> rest;
  for (;; result = kernel_.send(channel.fd, pieces)) {
    if (result == -EINTR) continue;
    if (result < 0 && result != -EAGAIN) return {.bytes = sent, .error = static_cast<int>(result)};
    if (result > 0) {
      sent += static_cast<size_t>(result);
      counters_.bytes_out.add(static_cast<uint64_t>(result));
    }
    if (sent == total) return {.bytes = sent, .error = 0};
    // Level-triggered: a short send will be told. Edge-triggered: only EAGAIN promises a new edge,
    // so try until then.
    if (!edge_triggered_ || result <= 0) break;
    pieces = drop_front(pieces, static_cast<size_t>(result), rest);
  }
  want_write(channel);
  return {.bytes = sent, .error = 0};
}

// A send was cut short: kWritable follows.
void ReadinessDriver::want_write(Channel& channel) {
  channel.flags |= kWantsWrite;
  update_interest(channel);
}

Sent ReadinessDriver::send_file(Channel& channel, const FilePart& part) {
  bool is_full = false;
  const Sent sent = send_file_to(kernel_, channel.fd, part, is_full);
  counters_.bytes_out.add(sent.bytes);
  if (is_full) want_write(channel);
  return sent;
}

void ReadinessDriver::shutdown_write(Channel& channel) { kernel_.shutdown(channel.fd, SHUT_WR); }

void ReadinessDriver::close(Channel& channel) {
  CHECK(channel.fd >= 0 && !(channel.flags & kClosing), "a channel is closed twice");
  if (channel.flags & kReadQueued) reads_.forget(channel);
  std::erase(lost_, &channel);
  std::erase(ended_, &channel);
  sole_speaker_.forget(&channel);
  leave_set(channel);
  kernel_.close_socket(channel.fd, channel.is_shared);
  counters_.descriptors_closed.add();
  channel.fd = -1;
  channel.flags = kClosing;
  channel.next_closed = std::exchange(closed_, &channel);
}

Block ReadinessDriver::swap_read_buffer(Block fresh) {
  read_buffer_.swap(fresh);
  return fresh;
}

bool ReadinessDriver::wake() noexcept {
  constexpr int kTries = 100;  // EINTR comes once, not for ever
  for (int tries = 0; tries < kTries; ++tries) {
    const int result = kernel_.event_signal(wake_fd_);
    if (result == 0 || result == -EAGAIN) return true;  // EAGAIN: full, so it is signalled
  }
  return false;
}

}}  // namespace trireme
