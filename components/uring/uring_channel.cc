// What is done to one channel.
#include <poll.h>

#include <algorithm>
#include <cerrno>

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
  ChannelState& state = channels_.take(channel);
  state.wants_read = true;
  queue_start(state, channel.place);
  return 0;
}

void UringDriver::receive(Channel& channel) {
  ChannelState& state = channels_.of(channel);
  if (state.wants_read || state.ended || state.closing) return;
  state.wants_read = true;
  if (state.held.is_due()) {
    queue_read(state, channel.place);
  } else {
    queue_start(state, channel.place);
  }
}

void UringDriver::pause(Channel& channel) {
  ChannelState& state = channels_.of(channel);
  state.wants_read = false;
  if (channel.role == Channel::Role::kListener) {
    Accepts::slow_down(state);
    return stop_receiving(state, channel.place);
  }
  if (!state.receiving.runs && !state.over) watch_hang_up(state, channel.place);
}

void UringDriver::queue_start(ChannelState& state, uint32_t who) {
  ChannelState::Receiving& receiving = state.receiving;
  if (receiving.start_queued || receiving.runs || !state.wants_read || state.over) return;
  if (state.held.bytes() > 0) return;  // when that has been told
  receiving.start_queued = true;
  starts_.push_back(who);
}

void UringDriver::queue_read(ChannelState& state, uint32_t who) {
  if (state.read_queued) return;
  state.read_queued = true;
  reads_next_.push_back(who);
}

void UringDriver::stop_receiving(ChannelState& state, uint32_t who) {
  if (state.channel->role == Channel::Role::kListener) {
    accepts_.stop(state, who);
  } else {
    receives_.stop(state, who);
  }
}

// For a channel that does not read: its receive would have told.
void UringDriver::watch_hang_up(ChannelState& state, uint32_t who) {
  if (state.waits_hang_up || state.closing || state.failed) return;
  state.waits_hang_up = true;
  ++state.operations;
  ring_.start(Op::kHangUp, who, 0, [&](io_uring_sqe* sqe) {
    io_uring_prep_poll_multishot(sqe, state.channel->fd, POLLHUP | POLLERR);
  });
}

Sent UringDriver::send(Channel& channel, std::span<const iovec> pieces) {
  return sends_.send(channels_.of(channel), channel.place, pieces);
}

Sent UringDriver::send_file(Channel& channel, const FilePart& part) {
  return sends_.send_file(channels_.of(channel), part);
}

Unsent UringDriver::settle(Channel& channel) {
  ChannelState& state = channels_.of(channel);
  for (int tries = 0; state.sending.staged_bytes > 0 && !sends_.is_open(); ++tries) {
    CHECK(tries < 1000, "the kernel does not start what it was given");
    finish_starting();
  }
  return sends_.settle(state);
}

void UringDriver::shutdown_write(Channel& channel) {
  ChannelState& state = channels_.of(channel);
  if (state.sending.staged_bytes > 0) sends_.hurry(state);
  kernel_.shutdown(channel.fd, SHUT_WR);
}

void UringDriver::close(Channel& channel) {
  CHECK(channel.fd >= 0, "a channel is closed twice");
  const uint32_t who = channel.place;
  ChannelState& state = channels_.at(who);
  state.closing = true;
  state.held.drop_bytes();
  // They hold the socket: it ends when the kernel has let them go, at the next wait.
  stop_receiving(state, who);
  sends_.close(state, who);
  if (state.waits_hang_up) ring_.cancel(Op::kHangUp, who);
  kernel_.close_socket(channel.fd, channel.is_shared);
  counters_.descriptors_closed.add();
  channel.fd = -1;
  channels_.try_release(state, who);
}

size_t UringDriver::bytes_readable(const Channel& channel) {
  const ChannelState& state = channels_.of(channel);
  const ssize_t bytes = kernel_.bytes_readable(channel.fd);
  // An older kernel receives on the way back from any call, that one too.
  return static_cast<size_t>(std::max<ssize_t>(bytes, 0)) +
         ring_.unreaped(Op::kReceive, channel.place).bytes + state.receiving.undelivered +
         state.held.bytes();
}

Waiting UringDriver::waiting(const Channel& channel) {
  const ChannelState& state = channels_.of(channel);
  Waiting waiting = waiting_at(kernel_, channel.fd);
  const bool held =
      state.receiving.undelivered > 0 || state.held.is_due() || state.over != state.ended;
  waiting.input |= held || ring_.unreaped(Op::kReceive, channel.place).count > 0;
  waiting.room |= Sends::bytes(state) > 0;
  return waiting;
}

size_t UringDriver::bytes_unsent(const Channel& channel) {
  const ChannelState& state = channels_.of(channel);
  const ssize_t bytes = kernel_.bytes_unsent(channel.fd);
  return static_cast<size_t>(std::max<ssize_t>(bytes, 0)) + Sends::bytes(state);
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
