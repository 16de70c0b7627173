// SIGTERM, SIGINT and SIGHUP for Server::run(): the only place that touches the signal disposition
// of the process.
//
// Step: below all steps. Thread: the one that calls run(); `notify` from any.
//
// 1. What a process does at a signal is one for all of it, so what is here is, too: the first
//    object installs handlers, the last one puts back what was there. Each signal is told to all.
// 2. A signal that was blocked is let through to the thread that made the object, while it lives.
// 3. Where the default, which ends the process, was there before, end_quietly() puts it off: for a
//    second more SIGTERM and SIGINT do nothing. Else one that comes as the last would turn the
//    status of a server that has drained into that of a process that was killed.
#pragma once

#include <csignal>
#include <cstddef>

#include "runtime/system/clock.h"
#include "runtime/threads/annotations.h"

namespace trireme { inline namespace v0 {

class RealSignals {
 public:
  struct Signal {
    int number = 0;  // 0: notify() was called
    TimePoint at{};

    // True: the same wish as `first`, said again. Supervisors and process groups do so within
    // milliseconds; at a terminal, who presses Ctrl-C twice means it.
    bool repeats(const Signal& first) const;
  };

  RealSignals();
  ~RealSignals();
  RealSignals(const RealSignals&) = delete;
  RealSignals& operator=(const RealSignals&) = delete;

  // Null, or why it does not work: a sentence.
  const char* problem() const { return problem_; }
  // Blocks until a signal comes, notify() was called, or `until` has come (then the number is 0).
  Signal wait(TimePoint until);
  void notify();  // Any thread.
  // The process is about to end: see rule 3.
  void end_quietly() { quietly_ = true; }

 private:
  void install();
  void uninstall();

  const char* problem_ = nullptr;
  int pipe_[2] = {-1, -1};
  size_t place_ = 0;
  sigset_t mask_{};  // of the thread, before
  bool quietly_ = false;
};

// In a forked child: the handlers of this process are no business of the child's. Calls only what a
// signal handler may call.
void reset_signals_in_child() NO_THREAD_SAFETY_ANALYSIS;  // its thread is the only one

// Ends the process with `status` after flushing streams, as far as that is done soon: a handler
// that never returns may hold the lock of one. Nothing else is ended in order.
[[noreturn]] void exit_now(int status);

}}  // namespace trireme
