#include "core/null_kernel.h"

#include <netinet/in.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <ctime>

namespace bench {
namespace {

int64_t process_cpu_ns() {
  timespec time{};
  ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
  return int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec;
}

std::string repeated(std::string_view message, uint64_t count) {
  std::string all;
  for (uint64_t i = 0; i < count; ++i) all += message;
  return all;
}

int loopback(trireme::SocketAddress& address) {
  sockaddr_in in{};
  in.sin_family = AF_INET;
  in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  std::memcpy(&address.storage, &in, sizeof(in));
  address.size = sizeof(in);
  return 0;
}

}  // namespace

NullKernel::NullKernel(uint64_t requests, uint64_t depth, std::string_view message)
    : requests_(requests),
      depth_(depth),
      message_bytes_(message.size()),
      burst_(repeated(message, depth)),
      left_(requests) {}

void NullKernel::wait_closed() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return closed_; });
}

double NullKernel::ns_per_request() const {
  return static_cast<double>(end_ns_ - begin_ns_) /
         static_cast<double>(std::max<uint64_t>(measured_, 1));
}

int NullKernel::connect(int, const trireme::SocketAddress&) { return -ECONNREFUSED; }

int NullKernel::accept(int, trireme::SocketAddress& peer) {
  if (!client_waits_.exchange(false)) return -EAGAIN;
  loopback(peer);
  return kClient;
}

int NullKernel::local_address(int, trireme::SocketAddress& address) { return loopback(address); }

ssize_t NullKernel::receive(int, std::span<char> into) {
  if (begin_ns_ == 0 && left_ <= requests_ - requests_ / 8) {
    begin_ns_ = process_cpu_ns();
    measured_ = left_;
  }
  if (left_ == 0) {
    if (end_ns_ == 0) end_ns_ = process_cpu_ns();
    return 0;
  }
  const uint64_t count = std::min({left_, depth_, into.size() / message_bytes_});
  std::memcpy(into.data(), burst_.data(), count * message_bytes_);
  left_ -= count;
  return static_cast<ssize_t>(count * message_bytes_);
}

ssize_t NullKernel::send(int, std::span<const iovec> from) {
  size_t bytes = 0;
  for (const iovec& piece : from) bytes += piece.iov_len;
  bytes_sent_ += bytes;
  return static_cast<ssize_t>(bytes);
}

int NullKernel::close(int fd) {
  if (fd != kClient) return 0;
  std::lock_guard lock(mutex_);
  closed_ = true;
  changed_.notify_all();
  return 0;
}

int NullKernel::epoll_create() { return kEpolls + sets_count_.fetch_add(1); }

int NullKernel::epoll_control(int epoll_fd, int operation, int fd, uint32_t events, void* data) {
  Set& set = sets_[static_cast<size_t>(epoll_fd - kEpolls)];
  Member& member = fd >= kEvents ? set.event : set.socket;
  if (operation == EPOLL_CTL_DEL) {
    member = Member();
  } else {
    member = {fd, events, data};
  }
  return 0;
}

size_t NullKernel::ready(const Set& set, std::span<epoll_event> into) {
  size_t count = 0;
  const bool readable =
      (set.socket.events & EPOLLIN) != 0 && (set.socket.fd == kClient || client_waits_.load());
  if (readable) into[count++] = {.events = EPOLLIN, .data = {.ptr = set.socket.data}};
  if (set.event.fd >= 0 && signalled_[static_cast<size_t>(set.event.fd - kEvents)].load()) {
    if (set.event.events & EPOLLET) event_clear(set.event.fd);
    into[count++] = {.events = EPOLLIN, .data = {.ptr = set.event.data}};
  }
  return count;
}

int NullKernel::epoll_wait(int epoll_fd, std::span<epoll_event> into, int timeout_ms) {
  const Set& set = sets_[static_cast<size_t>(epoll_fd - kEpolls)];
  size_t count = ready(set, into);
  if (count > 0 || timeout_ms == 0) return static_cast<int>(count);
  std::unique_lock lock(mutex_);
  const auto is_ready = [&] { return (count = ready(set, into)) > 0; };
  if (timeout_ms < 0) {
    changed_.wait(lock, is_ready);
  } else {
    changed_.wait_for(lock, std::chrono::milliseconds(timeout_ms), is_ready);
  }
  return static_cast<int>(count);
}

int NullKernel::event_create() { return kEvents + events_count_.fetch_add(1); }

int NullKernel::event_signal(int fd) {
  std::lock_guard lock(mutex_);
  signalled_[static_cast<size_t>(fd - kEvents)].store(true);
  changed_.notify_all();
  return 0;
}

int NullKernel::event_clear(int fd) {
  signalled_[static_cast<size_t>(fd - kEvents)].store(false);
  return 0;
}

}  // namespace bench
