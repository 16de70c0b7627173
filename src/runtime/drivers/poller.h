// The seam between the readiness driver and the system call that it waits with: epoll, poll or
// select. A poller is told which descriptors to watch and for what; it reports in the bits and
// structures of epoll, whichever call it makes.
//
// Step: below steps 1, 2 and 6. Thread: the holder of the loop. No poller belongs to a thread:
// whoever holds the loop may make the next call.
#pragma once

#include <algorithm>
#include <memory>
#include <span>
#include <string_view>

#include "runtime/drivers/channel.h"
#include "runtime/system/kernel.h"
#include "trireme/options.h"

namespace trireme { inline namespace v0 {

class Poller {
 public:
  virtual ~Poller() = default;

  // Immutable, of any thread.
  virtual std::string_view name() const = 0;
  // Events are told once, at their edge: a channel is registered once and for everything.
  virtual bool edge_triggered() const { return false; }

  // A signal of `wake_fd` is told once, whether it is cleared or not.
  virtual bool tells_signals_once() const { return false; }

  // Before start(). 0 or -errno. `wake_fd` is watched for reading from now on; its events carry
  // null.
  virtual int open(int wake_fd) = 0;

  // 0 or -errno. EPOLLERR and EPOLLHUP are always wanted, where the system call can tell them.
  // `fd` becomes the channel's only if this succeeds.
  virtual int add(Channel& channel, int fd, uint32_t events) = 0;
  virtual int modify(Channel& channel, uint32_t events) = 0;
  virtual void remove(Channel& channel) = 0;  // before its descriptor is closed

  // Sleeps until there are events or `timeout_ms` have passed, -1: for ever. The number of events,
  // each with its channel in data.ptr, or -errno. All events fit if it is less than into.size().
  virtual int wait(std::span<epoll_event> into, int timeout_ms) = 0;
};

// Without memory for an event it is looked for again after so long, or after `timeout_ms` if that
// is less.
inline int wait_without_memory(int timeout_ms) {
  constexpr int kAgainMs = 10;
  return timeout_ms < 0 ? kAgainMs : std::min(timeout_ms, kAgainMs);
}

// Before start(). `kernel` outlives it.
std::unique_ptr<Poller> make_poller(DriverKind kind, Kernel& kernel);

}}  // namespace trireme
