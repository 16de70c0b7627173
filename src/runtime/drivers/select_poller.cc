#include "runtime/drivers/select_poller.h"

#include <algorithm>
#include <cerrno>

namespace trireme { inline namespace v0 {
SelectPoller::SelectPoller(Kernel& kernel) : kernel_(kernel) {
  FD_ZERO(&read_);
  FD_ZERO(&write_);
}

int SelectPoller::open(int wake_fd) {
  if (wake_fd >= kDescriptorsMax) return -ERANGE;
  wake_fd_ = wake_fd;
  end_ = wake_fd + 1;
  FD_SET(wake_fd, &read_);
  return 0;
}

void SelectPoller::set_bits(int fd, uint32_t events) {
  if (events & EPOLLIN) {
    FD_SET(fd, &read_);
  } else {
    FD_CLR(fd, &read_);
  }
  if (events & EPOLLOUT) {
    FD_SET(fd, &write_);
  } else {
    FD_CLR(fd, &write_);
  }
}

int SelectPoller::add(Channel& channel, int fd, uint32_t events) {
  if (fd >= kDescriptorsMax) return -ERANGE;  // its bit would lie outside of the sets
  channels_[static_cast<size_t>(fd)] = &channel;
  set_bits(fd, events);
  end_ = std::max(end_, fd + 1);
  return 0;
}

int SelectPoller::modify(Channel& channel, uint32_t events) {
  set_bits(channel.fd, events);
  return 0;
}

void SelectPoller::remove(Channel& channel) {
  set_bits(channel.fd, 0);
  channels_[static_cast<size_t>(channel.fd)] = nullptr;
}

int SelectPoller::wait(std::span<epoll_event> into, int timeout_ms) {
  while (end_ - 1 > wake_fd_ && channels_[static_cast<size_t>(end_ - 1)] == nullptr) --end_;
  fd_set readable = read_;
  fd_set writable = write_;
  int ready = kernel_.select(end_, readable, writable, timeout_ms);
  if (ready == -ENOMEM) {
    // As in poll: few descriptors always fit.
    FD_ZERO(&readable);
    FD_ZERO(&writable);
    FD_SET(wake_fd_, &readable);
    kernel_.select(wake_fd_ + 1, readable, writable, wait_without_memory(timeout_ms));
    return 0;
  }
  if (ready < 0) return ready;
  size_t count = 0;
  int at = first_ < end_ ? first_ : 0;
  first_ = 0;
  for (int left = end_; ready > 0 && left > 0; --left, at = at + 1 < end_ ? at + 1 : 0) {
    const uint32_t bits =
        (FD_ISSET(at, &readable) ? EPOLLIN : 0u) | (FD_ISSET(at, &writable) ? EPOLLOUT : 0u);
    if (bits == 0) continue;
    if (count == into.size()) {
      first_ = at;
      break;
    }
    into[count].events = bits;
    into[count].data.ptr = channels_[static_cast<size_t>(at)];
    ++count;
    ready -= bits == (EPOLLIN | EPOLLOUT) ? 2 : 1;  // select counts bits
  }
  return static_cast<int>(count);
}

}}  // namespace trireme
