#include "trireme/uring.h"

#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "runtime/drivers/driver_factory.h"
#include "runtime/threads/annotations.h"
#include "runtime/threads/mutex.h"
#include "runtime/threads/threads.h"
#include "uring/uring_driver.h"

namespace trireme { inline namespace v0 {
namespace {

using Rings = std::vector<std::unique_ptr<uring::BufferedRing>>;

constexpr uring::RingSizes kSizes{};
constexpr int kTries = 50;
constexpr Duration kBetweenTries = std::chrono::milliseconds(10);

// The kernel lets go of the memory of a ring some time after it was closed: until then, little may
// be left of what may be locked. `open` answers 0 or -errno.
template <class Open>
int patiently(int& tries_left, Open open) {
  int result = open();
  for (; result == -ENOMEM && tries_left > 0; --tries_left) {
    real_platform().threads.sleep_until(real_platform().clock.now() + kBetweenTries);
    result = open();
  }
  return result;
}

// On a thread that ends with it: when a ring is closed, the kernel interrupts the threads that have
// used it, as by a signal, which must not happen to one of the user's. 0 or -errno.
int run_apart(const std::function<int()>& body) {
  int result = 0, error = 0;
  std::unique_ptr<Thread> thread = real_platform().threads.start(
      "io_uring", [&] { result = body(); }, error);
  if (thread == nullptr) return -error;
  thread->join();
  return result;
}

// Hands out the rings that were opened to try them, and opens others when these are used up.
class UringFactory final : public DriverFactory {
 public:
  Result<Done> prepare(uint32_t loops) const override;
  std::unique_ptr<Driver> make(Kernel& kernel, Buffers& buffers, LoopCounters& counters,
                               int& error) const override {
    std::unique_ptr<uring::BufferedRing> ring = take();
    if (ring == nullptr) {
      ring = std::make_unique<uring::BufferedRing>(kSizes);
      int tries = kTries;
      error = run_apart([&] { return patiently(tries, [&] { return ring->open(nullptr); }); });
    }
    auto driver = std::make_unique<uring::UringDriver>(kernel, buffers, counters, kSizes, nullptr,
                                                       std::move(ring));
    if (error == 0) error = driver->open();
    return driver;
  }

 private:
  std::unique_ptr<uring::BufferedRing> take() const {
    const MutexLock lock(mutex_);
    if (rings_.empty()) return nullptr;
    auto ring = std::move(rings_.back());
    rings_.pop_back();
    return ring;
  }

  mutable Mutex mutex_;
  mutable Rings rings_ GUARDED_BY(mutex_);
};

// What the kernel cannot be asked about is tried: one byte through a multishot receive into a
// buffer of ours, on a ring as the loops have it. 0 or -errno.
int try_out() {
  real_platform().kernel.fill_standard_descriptors();
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

// As many rings as there will be loops: a process may lock little memory, and each takes some.
int open_all(uint32_t count, Rings& rings, int& tries) {
  while (rings.size() < count) {
    auto ring = std::make_unique<uring::BufferedRing>(kSizes);
    const int result = patiently(tries, [&] { return ring->open(nullptr); });
    if (result < 0) return result;
    rings.push_back(std::move(ring));
  }
  return 0;
}

uint32_t loops_of(const ServerOptions& options) {
  if (options.io_workers > 0) return static_cast<uint32_t>(std::min(options.io_workers, 1023));
  return static_cast<uint32_t>(real_platform().threads.allowed_cpus());
}

std::string lockable() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_MEMLOCK, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY)
    return "no limit";
  return std::to_string(limit.rlim_cur >> 10) + " KiB";
}

std::string why(int error, uint32_t loops) {
  if (error == EPERM || error == EACCES) {
    return "this system forbids it; see kernel.io_uring_disabled and the seccomp filter of the "
           "container";
  }
  if (error == ENOSYS) return "this kernel does not have it, or a seccomp filter hides it";
  if (error == EINVAL || error == EOPNOTSUPP) return "this kernel is older than Linux 6.0";
  if (error == ENOMEM) {
    return "there is not enough memory for " + std::to_string(loops) +
           " event loops, or too little may be locked (ulimit -l: " + lockable() +
           "); raise that, or choose fewer loops";
  }
  if (error == EMFILE) {
    return "the descriptor limit is reached with " + std::to_string(loops) +
           " event loops; raise it (ulimit -n)";
  }
  return std::strerror(error);
}

Result<Done> UringFactory::prepare(uint32_t loops) const {
  {
    const MutexLock lock(mutex_);
    if (rings_.size() >= loops) return Done{};  // by use_io_uring(), and nobody has taken them yet
  }
  real_platform().kernel.raise_descriptor_limit();  // as the server will
  Rings rings;
  const int result = run_apart([&] {
    int tries = kTries;
    const int refused = patiently(tries, try_out);
    return refused < 0 ? refused : open_all(loops, rings, tries);
  });
  if (result < 0) {
    return Error{Error::Code::kSystem,
                 "io_uring cannot be used: " + why(-result, loops) + "; choose another driver"};
  }
  const MutexLock lock(mutex_);
  rings_ = std::move(rings);
  return Done{};
}

}  // namespace

DriverChoice io_uring() { return DriverChoice(std::make_shared<UringFactory>()); }

Result<Done> use_io_uring(ServerOptions& options) {
  DriverChoice choice = io_uring();
  Result<Done> prepared = choice.factory()->prepare(loops_of(options));
  if (prepared) options.driver = std::move(choice);
  return prepared;
}

}}  // namespace trireme
