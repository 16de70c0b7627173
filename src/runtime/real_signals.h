// SIGTERM, SIGINT and SIGHUP for Server::run(): the only place that touches the signal disposition
// of the process.
//
// Step: below all steps. Thread: the one that calls run(); `notify` from any.
#pragma once

#include <csignal>

namespace trireme::inline v0 {

// Installs handlers while it lives, and puts back what was there. Lets the signals through to the
// thread that has made it, also where they were blocked. One at a time in a process.
class RealSignals {
 public:
  RealSignals();
  ~RealSignals();
  RealSignals(const RealSignals&) = delete;
  RealSignals& operator=(const RealSignals&) = delete;

  bool ok() const { return pipe_[0] >= 0; }
  // Blocks until a signal comes (its number) or notify() was called (0).
  int wait();
  void notify();  // Any thread.

 private:
  int pipe_[2] = {-1, -1};
  sigset_t mask_{};  // of the thread, before
};

// Ends the process with `status` after flushing streams, as far as that is done soon: a handler
// that never returns may hold the lock of one. Nothing else is ended in order.
[[noreturn]] void exit_now(int status);

}  // namespace trireme
