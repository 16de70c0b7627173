// The server as a process: what it has used so far, seen from outside.
//
// Part of the load engine; any thread.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <map>

namespace load {

struct ContextSwitches {
  uint64_t voluntary = 0;    // a thread went to sleep
  uint64_t involuntary = 0;  // a thread had to give way

  uint64_t sum() const { return voluntary + involuntary; }
};

struct ProcessUsage {
  int64_t cpu_ns = 0;
  ContextSwitches context_switches;  // of the threads that live now
  uint64_t resident_bytes = 0;       // lags by some pages a thread
  uint32_t threads = 0;
};

// CPU of all threads, those that have ended too, in nanoseconds as the scheduler counts them (the
// sum of /proc/PID/task/*/schedstat, without its loss of ended threads). A thread that runs at this
// moment is counted up to its last tick: read it when the server sleeps. 0: no such process.
int64_t read_cpu_ns(pid_t pid);

// The same, after waiting (5 ms at most) until it stands still.
int64_t wait_settled_cpu_ns(pid_t pid);

ProcessUsage read_usage(pid_t pid);

// To the page, at a price: the kernel walks all memory of the process.
uint64_t read_resident_bytes(pid_t pid);

// Counts context switches over a time in which threads come and go: a thread that has ended counts
// with what it was last seen with. The more often look() is called, the less is lost.
class SwitchCounter {
 public:
  explicit SwitchCounter(pid_t pid) : pid_(pid), before_(sum()) {}

  void look();
  // Since construction.
  ContextSwitches count();

 private:
  ContextSwitches sum();

  const pid_t pid_;
  std::map<pid_t, ContextSwitches> seen_;  // of threads, as of the last look
  ContextSwitches ended_;                  // of threads whose number another one has now
  const ContextSwitches before_;
};

}  // namespace load
