#include "trireme/uring.h"

#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <memory>
#include <string>

#include "runtime/driver_factory.h"
#include "runtime/threads.h"
#include "uring/uring_driver.h"

namespace trireme::inline v0 {
namespace {

class UringFactory final : public DriverFactory {
 public:
  std::unique_ptr<Driver> make(Kernel& kernel, Buffers& buffers, LoopCounters& counters,
                               int& error) const override {
    auto driver = std::make_unique<uring::UringDriver>(kernel, buffers, counters,
                                                       uring::UringDriver::Sizes{});
    // On a thread of its own, for the same reason.
    int not_started = 0;
    std::unique_ptr<Thread> thread = real_platform().threads.start(
        "io_uring", [&] { error = driver->open(); }, not_started);
    if (thread == nullptr) {
      error = -not_started;
    } else {
      thread->join();
    }
    return driver;
  }
};

// What the kernel cannot be asked about is tried: one byte through a multishot receive into a
// buffer of ours, on a ring as the loops have it. 0 or -errno.
int try_out_here() {
  uring::Ring ring;
  int refused = ring.open(nullptr);
  if (refused == 0) refused = ring.enable();
  if (refused == 0) refused = ring.enter(Duration(0));
  if (refused < 0) return refused;
  int both[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, both) != 0)
    return -errno;
  Buffers buffers(1 << 20);
  LoopCounters counters;
  uring::UringDriver driver(real_platform().kernel, buffers, counters, {});
  int result = driver.open();
  if (result < 0) {
    ::close(both[0]);
    ::close(both[1]);
    return result;
  }
  Channel channel;
  driver.attach(channel, Channel::Role::kStream, both[0]);
  const char byte = 'x';
  if (::send(both[1], &byte, 1, MSG_NOSIGNAL) != 1) result = -errno;
  const TimePoint now = real_platform().clock.now();
  driver.wait(now, now + std::chrono::seconds(1));
  Completion got;
  bool received = false;
  while (driver.next(got)) {
    if (got.kind == Completion::Kind::kReceived && got.result < 0) result = got.result;
    received = received || got.result == 1;
  }
  driver.close(channel);
  ::close(both[1]);
  if (result < 0) return result;
  return received ? 0 : -EOPNOTSUPP;
}

// On a thread that ends with it: when a ring is closed, the kernel interrupts the threads that have
// used it, as by a signal, which must not happen to one of the user's.
int try_out() {
  int result = 0, error = 0;
  std::unique_ptr<Thread> thread = real_platform().threads.start(
      "io_uring", [&] { result = try_out_here(); }, error);
  if (thread == nullptr) return -error;
  thread->join();
  return result;
}

std::string why(int error) {
  if (error == EPERM || error == EACCES) {
    return "this system forbids it; see kernel.io_uring_disabled and the seccomp filter of the "
           "container";
  }
  if (error == ENOSYS) return "this kernel does not have it, or a seccomp filter hides it";
  if (error == EINVAL || error == EOPNOTSUPP) return "this kernel is older than Linux 6.0";
  if (error == ENOMEM) return "there is not enough memory, or the limit of locked memory is small";
  return std::strerror(error);
}

}  // namespace

Result<Done> use_io_uring(ServerOptions& options) {
  const int result = try_out();
  if (result < 0) {
    return Error{Error::Code::kSystem,
                 "io_uring cannot be used: " + why(-result) + "; choose another driver"};
  }
  options.driver_factory = std::make_shared<UringFactory>();  // owners: the copies of the options
  return Done{};
}

}  // namespace trireme
