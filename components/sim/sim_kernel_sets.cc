// The calls of the simulated kernel that wait for a set that the caller brings: poll and select.
#include <cerrno>
#include <deque>

#include "sim/fail.h"
#include "sim/sim_kernel.h"

namespace trireme { inline namespace v0 { namespace sim {
namespace {

// One descriptor of a set, on the wait queue of what it stands for, for the length of one call.
class Waiting final : public Watch {
 public:
  Waiting(Scheduler& scheduler, Fiber*& sleeper, Pollable& target, uint32_t wanted)
      : scheduler_(scheduler), sleeper_(sleeper), target_(&target), wanted_(wanted) {
    target.add_watch(*this);
  }
  ~Waiting() override {
    if (target_ != nullptr) target_->remove_watch(*this);
  }
  Waiting(const Waiting&) = delete;
  Waiting& operator=(const Waiting&) = delete;

  uint32_t ready() { return target_ == nullptr ? 0 : target_->poll() & wanted_; }

  void on_notify(uint32_t key) override {
    if ((key == 0 || (key & wanted_) != 0) && sleeper_ != nullptr) scheduler_.wake(*sleeper_);
  }
  // Linux keeps the object alive until the call returns, and tells nothing.
  void on_descriptor_closed() override { target_ = nullptr; }

 private:
  Scheduler& scheduler_;
  Fiber*& sleeper_;
  Pollable* target_;
  const uint32_t wanted_;
};

}  // namespace

// Asks all until one is ready or the time is over. `ready(i, bits)` counts what is to be told.
template <typename Ready>
int SimKernel::wait_for_set(const std::vector<WantedEvents>& wanted, int timeout_ms,
                            const char* call, Ready ready) {
  if (happens(FaultKind::kInterrupted, faults_.interrupted)) return -EINTR;
  TimePoint until = kNever;
  if (timeout_ms >= 0) until = scheduler_.now() + std::chrono::milliseconds(timeout_ms);
  Fiber* sleeper = nullptr;
  std::vector<std::shared_ptr<Pollable>> objects;  // outlive the watches on them
  std::deque<Waiting> watches;
  for (const WantedEvents& one : wanted) {
    objects.push_back(object_of(one.fd, call));
    watches.emplace_back(scheduler_, sleeper, *objects.back(), one.events);
  }
  while (true) {
    int count = 0;
    for (size_t i = 0; i < watches.size(); ++i) {
      const uint32_t bits = watches[i].ready();
      if (bits == 0) continue;
      count += ready(i, bits);
      scheduler_.record(Call::kSetEvent, wanted[i].fd, 0, bits);
    }
    if (count > 0 || scheduler_.now() >= until) return count;
    sleeper = scheduler_.current();
    scheduler_.block({call, static_cast<int64_t>(wanted.size()), until});
    sleeper = nullptr;
  }
}

int SimKernel::poll(std::span<pollfd> set, int timeout_ms) {
  return call(Call::kPoll, static_cast<int64_t>(set.size()), timeout_ms, [&]() -> int {
    std::vector<WantedEvents> wanted;
    for (pollfd& one : set) {
      const auto events = static_cast<uint16_t>(one.events);
      wanted.push_back({one.fd, events | uint32_t{EPOLLERR | EPOLLHUP}});
      one.revents = 0;
    }
    return wait_for_set(wanted, timeout_ms, "poll", [&](size_t i, uint32_t bits) {
      set[i].revents = static_cast<short>(bits);
      return 1;
    });
  });
}

// What select calls readable and writable: fs/select.c, POLLIN_SET and POLLOUT_SET.
int SimKernel::select(int end, fd_set& read, fd_set& write, int timeout_ms) {
  constexpr uint32_t kReadable = EPOLLIN | EPOLLRDNORM | EPOLLRDBAND | EPOLLHUP | EPOLLERR;
  constexpr uint32_t kWritable = EPOLLOUT | EPOLLWRNORM | EPOLLWRBAND | EPOLLERR;
  return call(Call::kSelect, end, timeout_ms, [&]() -> int {
    if (end < 0 || end > FD_SETSIZE) fail("select was called with a set that does not exist.");
    std::vector<WantedEvents> wanted;
    for (int fd = 0; fd < end; ++fd) {
      const uint32_t events =
          (FD_ISSET(fd, &read) ? kReadable : 0) | (FD_ISSET(fd, &write) ? kWritable : 0);
      if (events != 0) wanted.push_back({fd, events});
    }
    const fd_set asked_read = read, asked_write = write;
    FD_ZERO(&read);
    FD_ZERO(&write);
    return wait_for_set(wanted, timeout_ms, "select", [&](size_t i, uint32_t bits) {
      const int fd = wanted[i].fd;
      int count = 0;
      if ((bits & kReadable) != 0 && FD_ISSET(fd, &asked_read)) {
        FD_SET(fd, &read);
        ++count;
      }
      if ((bits & kWritable) != 0 && FD_ISSET(fd, &asked_write)) {
        FD_SET(fd, &write);
        ++count;
      }
      return count;
    });
  });
}

}}}  // namespace trireme::sim
