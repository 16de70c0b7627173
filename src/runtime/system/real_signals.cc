#include "runtime/system/real_signals.h"

#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <climits>
#include <cstdio>
#include <cstdlib>
#include <ctime>

#include "runtime/threads/mutex.h"
#include "runtime/threads/threads.h"

namespace trireme { inline namespace v0 {
namespace {

constexpr std::array kSignals = {SIGTERM, SIGINT, SIGHUP};
constexpr size_t kObjectsMax = 64;
constexpr Duration kOneWish = std::chrono::seconds(1);
constexpr int64_t kPollMsMax = 1'000'000;
constexpr Duration kFlushTime = std::chrono::milliseconds(500);

struct Record {
  int32_t number;
  int64_t at_ns;
};
static_assert(sizeof(Record) <= PIPE_BUF, "a record is written whole or not at all");

// What the handler may touch, all of it lock-free. seq_cst: who takes its descriptor out of
// `write_ends` then waits until no handler is inside, and closes it.
std::array<std::atomic<int>, kObjectsMax> write_ends;  // plus 1; 0: the place is free
std::atomic<int> handlers_inside{0};
std::atomic<int64_t> quiet_until_ns{INT64_MIN};

Mutex mutex;  // guards the rest: who installs handlers, and what was there before
size_t objects GUARDED_BY(mutex) = 0;
std::array<struct sigaction, kSignals.size()> before GUARDED_BY(mutex);

int64_t now_ns() {  // may be called by a signal handler
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  return int64_t{now.tv_sec} * 1'000'000'000 + now.tv_nsec;
}

// Nobody listens any more. The signal is blocked here, so it acts when the handler returns.
void act_as_by_default(int number) {
  struct sigaction action {};
  action.sa_handler = SIG_DFL;
  ::sigaction(number, &action, nullptr);
  ::raise(number);
}

void on_signal(int number) {
  const int saved = errno;
  handlers_inside.fetch_add(1);
  const Record record{number, now_ns()};
  bool told = false;
  for (const std::atomic<int>& place : write_ends) {
    const int fd = place.load() - 1;
    if (fd < 0) continue;
    told = true;
    // A full pipe means that there are signals enough to read.
    if (::write(fd, &record, sizeof(record)) < 0) errno = saved;
  }
  if (!told && record.at_ns >= quiet_until_ns.load()) act_as_by_default(number);
  handlers_inside.fetch_sub(1);
  errno = saved;
}

sigset_t set_of_signals() {
  sigset_t set;
  sigemptyset(&set);
  for (const int number : kSignals) sigaddset(&set, number);
  return set;
}

}  // namespace

bool RealSignals::Signal::repeats(const Signal& first) const {
  return number == SIGTERM && at - first.at < kOneWish;
}

RealSignals::RealSignals() {
  if (::pipe2(pipe_, O_CLOEXEC) != 0) {
    pipe_[0] = pipe_[1] = -1;
    problem_ = "cannot make a pipe for signals: the descriptor limit is reached";
    return;
  }
  ::fcntl(pipe_[1], F_SETFL, O_NONBLOCK);
  // The thread sanitizer of clang 14 loses a signal that arrives while it prepares a thread's first
  // call that may block: let this be that call.
  ::poll(nullptr, 0, 0);
  install();
}

void RealSignals::install() {
  MutexLock lock(mutex);
  place_ = 0;
  while (place_ < kObjectsMax && write_ends[place_].load() != 0) ++place_;
  if (place_ == kObjectsMax) {
    problem_ = "as many servers as can be told of signals run in this process";
    return;
  }
  write_ends[place_].store(pipe_[1] + 1);
  if (++objects == 1) {
    struct sigaction action {};
    action.sa_handler = on_signal;
    action.sa_flags = SA_RESTART;
    sigfillset(&action.sa_mask);
    for (size_t i = 0; i < kSignals.size(); ++i) {
      struct sigaction found {};
      ::sigaction(kSignals[i], &action, &found);
      if (found.sa_handler != on_signal) before[i] = found;  // else it was put off
    }
  }
  const sigset_t ours = set_of_signals();
  ::pthread_sigmask(SIG_UNBLOCK, &ours, &mask_);
}

RealSignals::~RealSignals() {
  if (problem_ == nullptr) uninstall();
  if (pipe_[0] < 0) return;
  ::close(pipe_[0]);
  ::close(pipe_[1]);
}

void RealSignals::uninstall() {
  sigset_t blocked;
  sigemptyset(&blocked);
  for (const int number : kSignals) {
    if (sigismember(&mask_, number) == 1) sigaddset(&blocked, number);
  }
  ::pthread_sigmask(SIG_BLOCK, &blocked, nullptr);
  MutexLock lock(mutex);
  if (quietly_) quiet_until_ns.store(now_ns() + kOneWish.count());
  write_ends[place_].store(0);
  while (handlers_inside.load() != 0) ::sched_yield();
  if (--objects > 0) return;
  for (size_t i = 0; i < kSignals.size(); ++i) {
    const bool by_default = before[i].sa_handler == SIG_DFL && kSignals[i] != SIGHUP;
    if (!quietly_ || !by_default) ::sigaction(kSignals[i], &before[i], nullptr);
  }
}

RealSignals::Signal RealSignals::wait(TimePoint until) {
  // poll is never restarted after a signal, so that a tool which delays handlers to the end of a
  // system call (the thread sanitizer) runs them.
  pollfd readable{.fd = pipe_[0], .events = POLLIN, .revents = 0};
  while (true) {
    const int64_t left_ms = (until.time_since_epoch().count() - now_ns()) / 1'000'000 + 1;
    const int patience_ms = static_cast<int>(std::clamp<int64_t>(left_ms, 0, kPollMsMax));
    const int ready = ::poll(&readable, 1, until == kNever ? -1 : patience_ms);
    Record record{};
    if (ready == 1 && ::read(pipe_[0], &record, sizeof(record)) == ssize_t{sizeof(record)}) {
      return {.number = record.number, .at = TimePoint(Duration(record.at_ns))};
    }
    if (ready == 0 && left_ms <= kPollMsMax) return {};
  }
}

void RealSignals::notify() {
  const Record record{0, 0};
  while (::write(pipe_[1], &record, sizeof(record)) < 0 && errno == EINTR) {
  }
}

void reset_signals_in_child() {
  for (size_t i = 0; i < kSignals.size(); ++i) {
    struct sigaction now {};
    if (::sigaction(kSignals[i], nullptr, &now) != 0 || now.sa_handler != on_signal) continue;
    ::sigaction(kSignals[i], &before[i], nullptr);
  }
  for (std::atomic<int>& place : write_ends) place.store(0);  // the pipes are the parent's
  objects = 0;
  handlers_inside.store(0);
}

namespace {

// The standard ones without waiting for whoever uses them, then all others.
void flush_streams() {
  for (FILE* stream : {stdout, stderr}) {
    if (::ftrylockfile(stream) != 0) continue;
    std::fflush(stream);
    ::funlockfile(stream);
  }
  std::fflush(nullptr);
}

// Without a thread that may hang: the standard ones, where somebody reads.
void flush_what_is_taken() {
  for (FILE* stream : {stdout, stderr}) {
    pollfd taken{.fd = ::fileno(stream), .events = POLLOUT, .revents = 0};
    if (::poll(&taken, 1, 0) != 1 || ::ftrylockfile(stream) != 0) continue;
    std::fflush(stream);
    ::funlockfile(stream);
  }
}

}  // namespace

void exit_now(int status) {
  ParkSpot flushed;
  int error = 0;
  Threads& threads = real_platform().threads;
  const auto thread = threads.start(
      "flush",
      [&] {
        flush_streams();
        threads.unpark(flushed);
      },
      error);
  if (thread != nullptr) {
    threads.park(flushed, real_platform().clock.now() + kFlushTime);
  } else {
    flush_what_is_taken();
  }
  std::_Exit(status);
}

}}  // namespace trireme
