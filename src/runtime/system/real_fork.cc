#include "runtime/system/real_fork.h"

#include <pthread.h>

#include <atomic>

#include "runtime/system/real_signals.h"
#include "runtime/threads/threads.h"

namespace trireme { inline namespace v0 {
namespace {

// Relaxed: the thread that forks writes it before it makes copies, and a close that misses it has
// begun before the fork.
std::atomic<bool> forked{false};

// Written once, then published by the second flag: release, with the acquire in the child.
std::atomic<bool> mask_noted{false}, mask_kept{false};
sigset_t mask_outside;
// Relaxed: each is a number by itself. 0: it was not raised.
std::atomic<rlim_t> limit_before{0}, limit_raised{0};

bool blocks_all(const sigset_t& mask) {
  constexpr int kAsked[] = {SIGHUP, SIGINT, SIGTERM, SIGCHLD, SIGALRM, SIGUSR1, SIGUSR2, SIGWINCH};
  for (const int number : kAsked) {
    if (sigismember(&mask, number) != 1) return false;
  }
  return true;
}

void before_fork() { forked.store(true, std::memory_order_relaxed); }

// In the child, with the thread that has forked as its only one. Calls only what a signal handler
// may call.
void in_child() {
  reset_signals_in_child();
  rlimit limit{};
  const rlim_t before = limit_before.load(std::memory_order_relaxed);
  if (before > 0 && ::getrlimit(RLIMIT_NOFILE, &limit) == 0 &&
      limit.rlim_cur == limit_raised.load(std::memory_order_relaxed)) {
    limit.rlim_cur = before;
    ::setrlimit(RLIMIT_NOFILE, &limit);
  }
  // A handler has forked, on a thread of ours. Who chose other signals in it keeps them.
  sigset_t blocked;
  if (thread_slot != nullptr && mask_kept.load(std::memory_order_acquire) &&
      ::pthread_sigmask(SIG_BLOCK, nullptr, &blocked) == 0 && blocks_all(blocked)) {
    ::pthread_sigmask(SIG_SETMASK, &mask_outside, nullptr);
  }
}

}  // namespace

void watch_forks() {
  static const int registered = ::pthread_atfork(before_fork, nullptr, in_child);
  static_cast<void>(registered);
}

bool has_forked() { return forked.load(std::memory_order_relaxed); }

void note_signals_outside(const sigset_t& mask) {
  if (blocks_all(mask) || mask_noted.exchange(true, std::memory_order_relaxed)) return;
  mask_outside = mask;
  mask_kept.store(true, std::memory_order_release);
}

void note_raised_limit(rlim_t before, rlim_t raised) {
  limit_raised.store(raised, std::memory_order_relaxed);
  limit_before.store(before, std::memory_order_relaxed);
}

}}  // namespace trireme
