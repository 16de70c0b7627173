// One run of a load: connect, warm up, measure, wait for the last replies; with a thread for each
// part of the load and the caller's thread as the one that watches.
//
// Part of the load engine. The phases: every part connects, then waits; the caller reads what the
// idle connections cost the server, and says when the schedule begins; every part warms up until a
// moment that all know, forgets what it has counted, measures, and drains.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

#include "load/endpoint.h"
#include "load/load.h"
#include "load/process.h"

namespace load {

struct RunOptions {
  LoadOptions load;
  uint32_t threads = 1;
  std::chrono::nanoseconds warm_up = std::chrono::seconds(1);
  std::chrono::nanoseconds duration = std::chrono::seconds(10);
  std::chrono::nanoseconds grace = std::chrono::seconds(5);  // for replies after the end
  pid_t pid = 0;                                             // of the server; 0: unknown
};

// What happened in one second of the measured time; the last one may be shorter.
struct Second {
  double seconds = 1;
  uint64_t requests = 0;
  uint64_t bytes = 0;  // sent and received
};

struct ServerFigures {
  int64_t cpu_ns = 0;
  ContextSwitches context_switches;
  uint32_t threads = 0;                   // at the end
  uint64_t resident_bytes_before = 0;     // of any connection
  uint64_t resident_bytes_connected = 0;  // all connected, none has sent
  uint64_t resident_bytes_after = 0;      // at the end of the measured time
};

struct Measured {
  bool connected = false;    // else tally.problem says why not, and nothing was measured
  bool interrupted = false;  // before `duration` was over
  double seconds = 0;
  uint64_t requests = 0;  // answered within `seconds`; the latencies are of these and the drain's
  uint64_t sent_bytes = 0;
  uint64_t received_bytes = 0;
  int64_t load_cpu_ns = 0;
  std::vector<Second> per_second;
  Tally tally;  // of all parts
  std::optional<ServerFigures> server;
};

struct Progress {
  enum class Phase { kConnecting, kWarmingUp, kMeasuring, kDraining } phase;
  double seconds;         // since the phase began
  uint32_t connected;     // connections
  uint64_t requests;      // answered since the last report
  double report_seconds;  // how long ago that was
};
// Called by the caller's thread, several times a second.
using Watch = std::function<void(const Progress&)>;

// Main thread. Blocks until the run is over: at most ramp, warm-up, duration, twice grace, and the
// connects, of which each has its timeout.
Measured run_load(const Endpoint& server, const RunOptions& options, const Watch& watch);

}  // namespace load
