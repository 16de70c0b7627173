// Real threads and the real clock, and the platform made of them.
//
// Step: below all steps. A park spot is a futex (futex(2)); its atomics carry the happens-before
// edges.
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <csignal>
#include <ctime>
#include <string>

#include "runtime/check.h"
#include "runtime/system/home_numbers.h"
#include "runtime/system/real_fork.h"
#include "runtime/system/real_group.h"
#include "runtime/system/real_kernel.h"
#include "runtime/threads/park_word.h"
#include "runtime/threads/threads.h"

namespace trireme { inline namespace v0 {
namespace {

constexpr int64_t kSecondNs = 1'000'000'000;

timespec to_timespec(TimePoint time) {
  const int64_t ns = time.time_since_epoch().count();
  return {.tv_sec = static_cast<time_t>(ns / kSecondNs),
          .tv_nsec = static_cast<long>(ns % kSecondNs)};
}

class RealClock final : public Clock {
 public:
  TimePoint now() override {
    return std::chrono::time_point_cast<Duration>(std::chrono::steady_clock::now());
  }
  std::chrono::system_clock::time_point wall_now() override {
    return std::chrono::system_clock::now();
  }
};

struct Start {
  std::string name;
  std::function<void()> body;
};

void* thread_main(void* argument) {
  std::unique_ptr<Start> start(static_cast<Start*>(argument));
  ::prctl(PR_SET_NAME, start->name.c_str());
  start->body();
  return nullptr;
}

class RealThread final : public Thread {
 public:
  explicit RealThread(pthread_t thread) : thread_(thread) {}
  ~RealThread() override {
    CHECK(ended_, "a thread must be joined before its object is destroyed");
  }
  void join() override {
    CHECK_EQUAL(::pthread_join(thread_, nullptr), 0, "join of a thread failed");
    ended_ = true;
  }
  // By the wall clock: of the bounded joins it is the one that thread sanitizers know.
  bool join_until(TimePoint until) override {
    if (until == kNever) {
      join();
      return true;
    }
    timespec deadline{};
    ::clock_gettime(CLOCK_REALTIME, &deadline);
    const auto now = std::chrono::time_point_cast<Duration>(std::chrono::steady_clock::now());
    const int64_t left = std::max<int64_t>((until - now).count(), 0);
    const int64_t ns = deadline.tv_nsec + left % kSecondNs;
    deadline.tv_sec += static_cast<time_t>(left / kSecondNs + ns / kSecondNs);
    deadline.tv_nsec = static_cast<long>(ns % kSecondNs);
    const int error = ::pthread_timedjoin_np(thread_, nullptr, &deadline);
    CHECK(error == 0 || error == ETIMEDOUT, "join of a thread failed");
    ended_ = error == 0;
    return ended_;
  }
  // Nobody may leave SCHED_IDLE without privilege. It may at least go where a CPU is idle.
  void hurry() override {
    constexpr sched_param kNone{};
    cpu_set_t ours;
    CPU_ZERO(&ours);
    ::pthread_setschedparam(thread_, SCHED_OTHER, &kNone);
    if (::sched_getaffinity(0, sizeof(ours), &ours) == 0) {
      ::pthread_setaffinity_np(thread_, sizeof(ours), &ours);
    }
  }
  void detach() override {
    ::pthread_detach(thread_);
    ended_ = true;
  }

 private:
  pthread_t thread_;
  bool ended_ = false;
};

class RealThreads final : public Threads {
 public:
  std::unique_ptr<Thread> start(std::string_view name, std::function<void()> body,
                                int& error) override {
    CHECK(name.size() <= 15, "the kernel cuts a thread's name at 15 bytes");
    auto start = std::make_unique<Start>(Start{std::string(name), std::move(body)});
    sigset_t all, before;
    sigfillset(&all);
    pthread_t thread;
    // The new thread inherits the mask: it blocks all signals from its first instruction on.
    ::pthread_sigmask(SIG_SETMASK, &all, &before);
    note_signals_outside(before);
    error = ::pthread_create(&thread, nullptr, thread_main, start.get());
    ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
    if (error != 0) return nullptr;
    start.release();
    return std::make_unique<RealThread>(thread);
  }

  bool park(ParkSpot& spot, TimePoint until) override {
    const timespec deadline = to_timespec(until);
    return park_on(spot.state, [&] {
      const long result =
          ::syscall(SYS_futex, &spot.state, FUTEX_WAIT_BITSET_PRIVATE, kParkSleeping,
                    until == kNever ? nullptr : &deadline, nullptr, FUTEX_BITSET_MATCH_ANY);
      return result == 0 || errno != ETIMEDOUT;
    });
  }

  void unpark(ParkSpot& spot) override {
    unpark_from(spot.state, [&] {
      ::syscall(SYS_futex, &spot.state, FUTEX_WAKE_PRIVATE, 1, nullptr, nullptr, 0);
    });
  }

  bool try_park(ParkSpot& spot) override { return take_permit(spot.state); }

  void sleep_until(TimePoint until) override {
    const timespec deadline = to_timespec(until);
    while (::clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &deadline, nullptr) == EINTR) {
    }
  }

  void relax() override { ::sched_yield(); }

  void set_name(std::string_view name) override {
    CHECK(name.size() <= 15, "the kernel cuts a thread's name at 15 bytes");
    ::prctl(PR_SET_NAME, std::string(name).c_str());
  }

  // sched(7): SCHED_BATCH threads do not preempt when they wake. Who chose another policy for us
  // than the usual one keeps it.
  void wait_its_turn() override {
    constexpr sched_param kNone{};
    if (::sched_getscheduler(0) == SCHED_OTHER) ::sched_setscheduler(0, SCHED_BATCH, &kNone);
  }

  bool run_only_when_idle() override {
    constexpr sched_param kNone{};
    return ::sched_setscheduler(0, SCHED_IDLE, &kNone) == 0;
  }

  void stay_on(int cpu) override {
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(cpu, &set);
    ::sched_setaffinity(0, sizeof(set), &set);
  }

  int current_cpu() override { return ::sched_getcpu(); }

  uint64_t current_id() override { return static_cast<uint64_t>(::gettid()); }

  int allowed_cpus() override {
    cpu_set_t set;
    CPU_ZERO(&set);
    if (::sched_getaffinity(0, sizeof(set), &set) != 0) return 1;
    const int quota = read_group_limits().cpus;
    return quota > 0 ? std::min(quota, CPU_COUNT(&set)) : CPU_COUNT(&set);
  }

  Duration cpu_time(uint64_t thread) override {
    // The clock's id as pthread_getcpuclockid(3) makes it of a kernel thread id: the complement of
    // the id, then 110: of one thread, of the scheduler.
    const auto clock = static_cast<clockid_t>((~static_cast<uint32_t>(thread) << 3) | uint32_t{6});
    timespec time{};
    if (::clock_gettime(clock, &time) != 0) return Duration(0);
    return std::chrono::seconds(time.tv_sec) + std::chrono::nanoseconds(time.tv_nsec);
  }
};

}  // namespace

const Platform& real_platform() {
  // Objects that are never destroyed: a Peer may outlive every other object of the process. They
  // are stateless, with one exception to the rule of no globals: home_numbers.h says why.
  static RealKernel& kernel = *new RealKernel;
  static RealClock& clock = *new RealClock;
  static RealThreads& threads = *new RealThreads;
  static HomeNumbers& home_numbers = *new HomeNumbers;
  static const Platform& platform = *new Platform{kernel, clock, threads, 0, true, &home_numbers};
  return platform;
}

}}  // namespace trireme
