#include "load/event_wait.h"

#include <poll.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "load/clocks.h"

namespace load {
namespace {

// Our own mistakes. Every other error is a system that does not have the call or allow it: which
// one it gives is up to the profile of the container.
bool is_own_mistake(int error) { return error == EBADF || error == EFAULT || error == EINVAL; }

}  // namespace

size_t EventWait::wait(int epoll_fd, std::span<epoll_event> events, int64_t timeout_ns) {
  timeout_ns = std::max<int64_t>(timeout_ns, 0);
  int count = -1;
  if (pwait2_ != nullptr) {
    const timespec timeout = timespec_of(timeout_ns);
    count = pwait2_(epoll_fd, events.data(), static_cast<int>(events.size()), &timeout, nullptr);
    if (count < 0 && errno != EINTR && !is_own_mistake(errno)) pwait2_ = nullptr;
  }
  if (pwait2_ == nullptr) count = wait_by_poll(epoll_fd, events, timeout_ns);
  if (count < 0 && errno != EINTR) end_of_load("cannot wait for the connections");
  return static_cast<size_t>(std::max(count, 0));
}

// An epoll set can be polled, and ppoll knows nanoseconds. Where that is refused, too, milliseconds
// have to do, rounded up: a wait that is too short would spin.
int EventWait::wait_by_poll(int epoll_fd, std::span<epoll_event> events, int64_t timeout_ns) {
  int milliseconds = 0;
  if (timeout_ns > 0) {
    pollfd ready{.fd = epoll_fd, .events = POLLIN, .revents = 0};
    const timespec timeout = timespec_of(timeout_ns);
    const int count = ::ppoll(&ready, 1, &timeout, nullptr);
    if (count == 0 || (count < 0 && errno == EINTR)) return count;
    constexpr int64_t kLongestMs = 1'000'000;
    if (count < 0) {
      milliseconds = static_cast<int>(std::min((timeout_ns + 999'999) / 1'000'000, kLongestMs));
    }
  }
  return ::epoll_wait(epoll_fd, events.data(), static_cast<int>(events.size()), milliseconds);
}

void end_of_load(const char* what) {
  std::fprintf(stderr, "trireme: %s: %s\n", what, std::strerror(errno));
  std::_Exit(1);  // other threads of the load are still at work
}

}  // namespace load
