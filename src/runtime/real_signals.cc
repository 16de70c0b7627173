#include "runtime/real_signals.h"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>

#include "runtime/threads.h"

namespace trireme::inline v0 {
namespace {

constexpr std::array kSignals = {SIGTERM, SIGINT, SIGHUP};
constexpr Duration kFlushTime = std::chrono::milliseconds(500);

std::atomic<int> write_end{-1};  // what the handler may touch; lock-free
std::array<struct sigaction, kSignals.size()> before;

void on_signal(int number) {
  const int saved = errno;
  const auto byte = static_cast<unsigned char>(number);
  // A full pipe means that there are signals enough to read.
  if (::write(write_end.load(), &byte, 1) < 0) errno = saved;
  errno = saved;
}

sigset_t set_of_signals() {
  sigset_t set;
  sigemptyset(&set);
  for (const int number : kSignals) sigaddset(&set, number);
  return set;
}

}  // namespace

RealSignals::RealSignals() {
  if (::pipe2(pipe_, O_CLOEXEC) != 0) {
    pipe_[0] = pipe_[1] = -1;
    return;
  }
  ::fcntl(pipe_[1], F_SETFL, O_NONBLOCK);
  write_end.store(pipe_[1]);
  // The thread sanitizer of clang 14 loses a signal that arrives while it prepares a thread's first
  // call that may block: let this be that call.
  ::poll(nullptr, 0, 0);
  struct sigaction action {};
  action.sa_handler = on_signal;
  action.sa_flags = SA_RESTART;
  sigfillset(&action.sa_mask);
  for (size_t i = 0; i < kSignals.size(); ++i) ::sigaction(kSignals[i], &action, &before[i]);
  const sigset_t ours = set_of_signals();
  ::pthread_sigmask(SIG_UNBLOCK, &ours, &mask_);
}

RealSignals::~RealSignals() {
  if (!ok()) return;
  sigset_t blocked;
  sigemptyset(&blocked);
  for (const int number : kSignals) {
    if (sigismember(&mask_, number) == 1) sigaddset(&blocked, number);
  }
  ::pthread_sigmask(SIG_BLOCK, &blocked, nullptr);
  for (size_t i = 0; i < kSignals.size(); ++i) ::sigaction(kSignals[i], &before[i], nullptr);
  write_end.store(-1);
  ::close(pipe_[0]);
  ::close(pipe_[1]);
}

int RealSignals::wait() {
  // poll is never restarted after a signal, so that a tool which delays handlers to the end of a
  // system call (the thread sanitizer) runs them.
  unsigned char byte = 0;
  pollfd readable{.fd = pipe_[0], .events = POLLIN, .revents = 0};
  while (::poll(&readable, 1, -1) != 1 || ::read(pipe_[0], &byte, 1) != 1) {
  }
  return byte;
}

void RealSignals::notify() {
  const unsigned char byte = 0;
  while (::write(pipe_[1], &byte, 1) < 0 && errno == EINTR) {
  }
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
  if (thread != nullptr) threads.park(flushed, real_platform().clock.now() + kFlushTime);
  std::_Exit(status);
}

}  // namespace trireme
