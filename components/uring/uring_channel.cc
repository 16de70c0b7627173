// What is done to one channel.
#include <poll.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

#include "runtime/check.h"
#include "uring/uring_driver.h"

namespace trireme { inline namespace v0 { namespace uring {
namespace {

constexpr uint8_t kAttached = 1;  // Channel::flags

}  // namespace

int UringDriver::attach(Channel& channel, Channel::Role role, int fd) {
  CHECK(channel.fd == -1 && channel.flags == 0, "a channel is attached twice");
  channel.role = role;
  channel.fd = fd;
  channel.flags = kAttached;
  const uint32_t who = take_state(channel);
  states_[who].wants_read = true;
  queue_start(states_[who], who);
  return 0;
}

uint32_t UringDriver::take_state(Channel& channel) {
  uint32_t who = static_cast<uint32_t>(states_.size());
  if (free_.empty()) {
    states_.emplace_back();
  } else {
    who = free_.back();
    free_.pop_back();
  }
  states_[who].channel = &channel;
  channel.place = who;
  return who;
}

void UringDriver::receive(Channel& channel) {
  State& state = state_of(channel);
  if (state.wants_read || state.ended || state.closing) return;
  state.wants_read = true;
  if (state.held_begin < state.held_end || state.end_due || state.error_due != 0) {
    queue_read(state, channel.place);
  } else {
    queue_start(state, channel.place);
  }
}

void UringDriver::pause(Channel& channel) {
  State& state = state_of(channel);
  state.wants_read = false;
  if (channel.role == Channel::Role::kListener) {
    state.accepts_one = true;
    state.run_of_reads = 0;
    return stop_receiving(state, channel.place);
  }
  if (!state.receiving && !state.over) watch_hang_up(state, channel.place);
}

void UringDriver::queue_start(State& state, uint32_t who) {
  if (state.start_queued || state.receiving || !state.wants_read || state.over) return;
  if (state.held_begin < state.held_end) return;  // when that has been told
  state.start_queued = true;
  starts_.push_back(who);
}

void UringDriver::queue_read(State& state, uint32_t who) {
  if (state.read_queued) return;
  state.read_queued = true;
  reads_next_.push_back(who);
}

void UringDriver::start_receive(State& state, uint32_t who) {
  state.in_large = state.reads_large;
  ring_.start(Op::kReceive, who, 0, [&](io_uring_sqe* sqe) {
    io_uring_prep_recv_multishot(sqe, state.channel->fd, nullptr, 0, 0);
    sqe->flags |= IOSQE_BUFFER_SELECT;
    sqe->buf_group = group_of(state.in_large).id();
  });
}

void UringDriver::stop_receiving(State& state, uint32_t who) {
  if (!state.receiving || state.stopping) return;
  state.stopping = true;
  const bool accepts = state.channel->role == Channel::Role::kListener;
  ring_.cancel(accepts ? Op::kAccept : Op::kReceive, who);
}

// For a channel that does not read: its receive would have told.
void UringDriver::watch_hang_up(State& state, uint32_t who) {
  if (state.waits_hang_up || state.closing || state.failed) return;
  state.waits_hang_up = true;
  ++state.operations;
  ring_.start(Op::kHangUp, who, 0, [&](io_uring_sqe* sqe) {
    io_uring_prep_poll_multishot(sqe, state.channel->fd, POLLHUP | POLLERR);
  });
}

// Told once an edge, from now on: a poll for one time would come back at once after the end of the
// stream, which no poll can leave out. A send goes on until it is refused, so there is an edge.
void UringDriver::wait_writable(State& state, uint32_t who) {
  state.wants_write = true;
  if (state.waits_writable) return;
  state.waits_writable = true;
  ++state.operations;
  ring_.start(Op::kWritable, who, 0, [&](io_uring_sqe* sqe) {
    io_uring_prep_poll_multishot(sqe, state.channel->fd, POLLOUT | POLLHUP | POLLERR);
  });
}

Sent UringDriver::send(Channel& channel, std::span<const iovec> pieces) {
  const uint32_t who = channel.place;
  State& state = states_[who];
  size_t total = 0;
  for (const iovec& piece : pieces) total += piece.iov_len;
  if (state.unsent_bytes > 0 || (state.staged_bytes > 0 && !sends_open_)) {
    state.wants_write = true;  // behind what is on its way
    return {};
  }
  if (stage(state, who, pieces, total)) return {.bytes = total};
  if (state.staged_bytes > 0) send_staged(state);
  if (state.staged_bytes > 0) {
    state.wants_write = true;
    return {};
  }
  return send_now(state, pieces, total);
}

// False: it is too large, or the socket was full or dead when it was last tried.
bool UringDriver::stage(State& state, uint32_t who, std::span<const iovec> pieces, size_t total) {
  if (!sends_open_ || state.wants_write || state.failed || total > kGatherBytesMax ||
      arena_used_ + total > kArenaBytes) {
    return false;
  }
  if (state.staged_bytes == 0) {
    state.staged_at = arena_used_;
    if (!state.stage_queued) staged_.push_back(who);  // it may have been sent at once before
    state.stage_queued = true;
  } else if (state.staged_at + state.staged_bytes != arena_used_) {
    return false;
  }
  for (const iovec& piece : pieces) {
    std::memcpy(arenas_[arena_].get() + arena_used_, piece.iov_base, piece.iov_len);
    arena_used_ += static_cast<uint32_t>(piece.iov_len);
  }
  state.staged_bytes += static_cast<uint32_t>(total);
  return true;
}

// What was gathered leaves now. What does not stays gathered.
void UringDriver::send_staged(State& state) {
  const iovec all{arenas_[arena_].get() + state.staged_at, state.staged_bytes};
  ssize_t sent = 0;
  do {
    sent = kernel_.send(state.channel->fd, {&all, 1});
  } while (sent == -EINTR);
  if (sent <= 0) return;
  counters_.bytes_out.add(static_cast<uint64_t>(sent));
  state.staged_at += static_cast<uint32_t>(sent);
  state.staged_bytes -= static_cast<uint32_t>(sent);
}

Sent UringDriver::send_now(State& state, std::span<const iovec> pieces, size_t total) {
  constexpr size_t kPiecesMax = 64;
  CHECK(pieces.size() <= kPiecesMax, "a send of too many pieces");
  std::array<iovec, kPiecesMax> rest;
  std::copy(pieces.begin(), pieces.end(), rest.begin());
  size_t first = 0, bytes = 0;
  while (bytes < total) {
    const ssize_t sent =
        kernel_.send(state.channel->fd, std::span(rest).subspan(first, pieces.size() - first));
    if (sent == -EINTR) continue;
    if (sent < 0 && sent != -EAGAIN) return {.bytes = bytes, .error = static_cast<int>(sent)};
    if (sent <= 0) {
      wait_writable(state, state.channel->place);
      return {.bytes = bytes};
    }
    counters_.bytes_out.add(static_cast<uint64_t>(sent));
    bytes += static_cast<size_t>(sent);
    auto gone = static_cast<size_t>(sent);
    for (; first < pieces.size() && gone >= rest[first].iov_len; ++first)
      gone -= rest[first].iov_len;
    if (gone > 0) {
      rest[first].iov_base = static_cast<char*>(rest[first].iov_base) + gone;
      rest[first].iov_len -= gone;
    }
  }
  state.wants_write = false;
  return {.bytes = bytes};
}

Unsent UringDriver::settle(Channel& channel) {
  State& state = state_of(channel);
  for (int tries = 0; state.staged_bytes > 0 && !sends_open_; ++tries) {
    CHECK(tries < 1000, "the kernel does not start what it was given");
    finish_starting();
  }
  if (state.unsent_bytes > 0) {
    return {{state.unsent, std::exchange(state.unsent_bytes, 0)}, state.unsent_error};
  }
  if (state.staged_bytes == 0) return {};
  const std::array<iovec, 1> all{
      iovec{arenas_[arena_].get() + state.staged_at, state.staged_bytes}};
  state.staged_bytes = 0;
  const Sent sent = send_now(state, all, all[0].iov_len);
  if (sent.error == 0 && sent.bytes == all[0].iov_len) return {};
  return {{static_cast<char*>(all[0].iov_base) + sent.bytes, all[0].iov_len - sent.bytes},
          sent.error};
}

void UringDriver::shutdown_write(Channel& channel) {
  if (state_of(channel).staged_bytes > 0) send_staged(state_of(channel));
  kernel_.shutdown(channel.fd, SHUT_WR);
}

void UringDriver::close(Channel& channel) {
  CHECK(channel.fd >= 0, "a channel is closed twice");
  const uint32_t who = channel.place;
  State& state = states_[who];
  if (state.staged_bytes > 0 && sends_open_) send_staged(state);
  if (state.stage_queued) std::erase(staged_, who);
  state.staged_bytes = state.unsent_bytes = 0;
  state.closing = true;
  state.held = Block();
  state.held_begin = state.held_end = 0;
  // They hold the socket: it ends when the kernel has let them go, at the next wait.
  stop_receiving(state, who);
  if (state.waits_writable) ring_.cancel(Op::kWritable, who);
  if (state.waits_hang_up) ring_.cancel(Op::kHangUp, who);
  kernel_.close_socket(channel.fd);
  counters_.descriptors_closed.add();
  channel.fd = -1;
  try_release(state, who);
}

void UringDriver::try_release(State& state, uint32_t who) {
  if (!state.closing || state.operations > 0 || state.release_queued) return;
  state.release_queued = true;
  closed_.push_back(who);
}

size_t UringDriver::bytes_readable(const Channel& channel) {
  const State& state = state_of(channel);
  const ssize_t bytes = kernel_.bytes_readable(channel.fd);
  // An older kernel receives on the way back from any call, that one too.
  return static_cast<size_t>(std::max<ssize_t>(bytes, 0)) +
         ring_.unreaped(Op::kReceive, channel.place).bytes + state.undelivered + state.held_end -
         state.held_begin;
}

Waiting UringDriver::waiting(const Channel& channel) {
  const State& state = state_of(channel);
  Waiting waiting = waiting_at(kernel_, channel.fd);
  const bool held = state.undelivered > 0 || state.held_begin < state.held_end || state.end_due ||
                    state.error_due != 0 || state.over != state.ended;
  waiting.input |= held || ring_.unreaped(Op::kReceive, channel.place).count > 0;
  waiting.room |= state.staged_bytes > 0 || state.unsent_bytes > 0;
  return waiting;
}

size_t UringDriver::bytes_unsent(const Channel& channel) {
  const State& state = state_of(channel);
  const ssize_t bytes = kernel_.bytes_unsent(channel.fd);
  return static_cast<size_t>(std::max<ssize_t>(bytes, 0)) + state.staged_bytes + state.unsent_bytes;
}

// There is no one read buffer to swap: loops on io_uring are not handed over. Called with an empty
// block at the end of the loop.
Block UringDriver::swap_read_buffer(Block fresh) {
  CHECK(!fresh, "a loop on io_uring was handed over");
  return {};
}

void UringDriver::set_receive_bytes_max(size_t bytes) {
  receive_bytes_max_ = std::max<size_t>(bytes, 1);
}

bool UringDriver::wake() noexcept {
  constexpr int kTries = 100;  // EINTR comes once, not for ever
  for (int tries = 0; tries < kTries; ++tries) {
    const int result = kernel_.event_signal(wake_fd_);
    if (result == 0 || result == -EAGAIN) return true;
  }
  return false;
}

}}}  // namespace trireme::uring
