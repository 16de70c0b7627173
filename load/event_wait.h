// Waiting for an epoll set to the nanosecond, also where the system has no epoll_pwait2: kernels
// before 5.11, and containers whose profile does not know the call.
//
// Part of the load engine; each thread has its own.
#pragma once

#include <sys/epoll.h>

#include <csignal>
#include <cstdint>
#include <ctime>
#include <span>

namespace load {

class EventWait {
 public:
  using Pwait2 = int (*)(int, epoll_event*, int, const timespec*, const sigset_t*);

  explicit EventWait(Pwait2 pwait2 = &::epoll_pwait2) : pwait2_(pwait2) {}

  // How many events there are; 0 when the time is over or a signal has come. Ends the process with
  // a sentence if the set cannot be waited for at all.
  size_t wait(int epoll_fd, std::span<epoll_event> events, int64_t timeout_ns);

 private:
  int wait_by_poll(int epoll_fd, std::span<epoll_event> events, int64_t timeout_ns);

  Pwait2 pwait2_;  // null: it was refused once, and is not tried again
};

// Ends the process: `what` could not be done, errno says why.
[[noreturn]] void end_of_load(const char* what);

}  // namespace load
