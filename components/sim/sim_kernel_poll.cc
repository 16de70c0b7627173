// The calls of the simulated kernel that wait and wake: epoll and eventfd.
#include <cerrno>
#include <string>

#include "sim/epoll.h"
#include "sim/event.h"
#include "sim/fail.h"
#include "sim/sim_kernel.h"

namespace trireme { inline namespace v0 { namespace sim {

std::shared_ptr<Epoll> SimKernel::epoll_of(int fd, const char* call) const {
  auto epoll = std::dynamic_pointer_cast<Epoll>(object_of(fd, call));
  if (epoll == nullptr) {
    fail(std::string(call) + " was called on descriptor " + std::to_string(fd) +
         ", which is no epoll descriptor.");
  }
  return epoll;
}

std::shared_ptr<Event> SimKernel::event_of(int fd, const char* call) const {
  auto event = std::dynamic_pointer_cast<Event>(object_of(fd, call));
  if (event == nullptr) {
    fail(std::string(call) + " was called on descriptor " + std::to_string(fd) +
         ", which is no eventfd.");
  }
  return event;
}

int SimKernel::epoll_create() {
  return call(Call::kEpollCreate, 0, 0, [&] { return open(std::make_shared<Epoll>(scheduler_)); });
}

int SimKernel::epoll_control(int epoll_fd, int operation, int fd, uint32_t events, void* data) {
  // `data` is a pointer and stays out of the trace.
  const int64_t what = int64_t{fd} << 32 | events;
  return call(Call::kEpollControl, int64_t{epoll_fd} << 8 | operation, what, [&]() -> int {
    const auto epoll = epoll_of(epoll_fd, "epoll_ctl");
    const auto target = object_of(fd, "epoll_ctl");
    if (target == epoll) return -EINVAL;
    if (operation == EPOLL_CTL_ADD && happens(FaultKind::kWatchRefused, faults_.epoll_add_refused))
      return -ENOSPC;
    return epoll->control(operation, fd, *target, events, data);
  });
}

int SimKernel::epoll_wait(int epoll_fd, std::span<epoll_event> into, int timeout_ms) {
  return call(Call::kEpollWait, epoll_fd, timeout_ms, [&]() -> int {
    if (into.empty()) return -EINVAL;
    const auto epoll = epoll_of(epoll_fd, "epoll_wait");
    if (happens(FaultKind::kInterrupted, faults_.interrupted)) return -EINTR;
    TimePoint until = kNever;
    if (timeout_ms >= 0) until = scheduler_.now() + std::chrono::milliseconds(timeout_ms);
    return epoll->wait(into, until, epoll_fd);
  });
}

int SimKernel::event_create() {
  return call(Call::kEventCreate, 0, 0, [&] { return open(std::make_shared<Event>()); });
}

int SimKernel::event_signal(int fd) {
  return call(Call::kEventSignal, fd, 0, [&]() -> int {
    const auto event = event_of(fd, "eventfd write");
    if (happens(FaultKind::kLostWakeup, faults_.wakeup_lost)) return -EINTR;
    return happens(FaultKind::kInterrupted, faults_.interrupted) ? -EINTR : event->signal();
  });
}

int SimKernel::event_clear(int fd) {
  return call(Call::kEventClear, fd, 0, [&]() -> int {
    const auto event = event_of(fd, "eventfd read");
    return happens(FaultKind::kInterrupted, faults_.interrupted) ? -EINTR : event->clear();
  });
}

}}}  // namespace trireme::sim
