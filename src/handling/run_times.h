// When a job began to run, and what its handlers took: for what is learned about their kind.
//
// Step 4. Thread: the one that runs the job; afterwards the holder that finishes it.
#pragma once

#include "runtime/system/clock.h"
#include "runtime/threads/threads.h"

namespace trireme { inline namespace v0 {

struct RunTimes {
  TimePoint begun;
  Duration taken{0};
  Duration computed{0};  // of it, on a CPU; only where that was asked for

  void begin(const Platform& platform, TimePoint now, bool with_cpu) {
    begun = now;
    if (with_cpu) computed = platform.threads.cpu_time(platform.threads.current_id());
  }
  void end(const Platform& platform, bool with_cpu) {
    taken = platform.clock.now() - begun;
    if (with_cpu) {
      computed = platform.threads.cpu_time(platform.threads.current_id()) - computed;
    }
  }
};

}}  // namespace trireme
