// Many seeds of one scenario, and what to do with one that fails.
//
//   int main() {
//     return trireme::sim::explore({.name = "chat", .seeds = 200}, chat_scenario) ? 0 : 1;
//   }
//
// A run that fails is made smaller: fewer clients, fewer faults, the same failure. The report on
// `report` has the seed, the sentence, the smallest plan, what its clients did and heard, and the
// command that repeats it. Environment:
//
//   TRIREME_SIM_PLAN='chat seed=17 clients=1,3 faults=preempted:12'   this run only
//   TRIREME_SIM_SEEDS=5000                                            as many seeds as that
//   TRIREME_SIM_DEBUG=1       with a plan: in this process, for a debugger; aborts at the failure
//   TRIREME_SIM_LOG=1         with a plan: one line for each system call on standard output
#pragma once

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "trireme/sim/world.h"

namespace trireme { inline namespace v0 { namespace sim {

// Called once for each seed, as the main fiber of a new world. Whatever it throws is a failure.
using Scenario = std::function<void(World&)>;

struct ExploreOptions {
  std::string name = "scenario";  // of the plan; one word
  uint64_t seeds = 200;
  uint64_t first_seed = 1;
  WorldOptions world{};
  int shrink_runs_max = 3'000;                     // 0: a failing run is reported as it is
  std::chrono::milliseconds run_time_max{30'000};  // real; a run that takes longer has failed
  std::FILE* report = stderr;                      // null: no report is written
};

// One fault of a plan: the number of its kind, counted from 1, at one client or (0) the machine.
struct PlannedFault {
  FaultKind kind = FaultKind::kInterrupted;
  uint32_t client = 0;
  uint32_t number = 0;
};

// What takes part in a run. Left out: everybody; everything that the seed draws.
struct Plan {
  uint64_t seed = 0;
  std::optional<std::vector<uint32_t>> clients{};  // their numbers, ascending
  std::optional<std::vector<PlannedFault>> faults{};

  // Any thread. "seed=17 clients=1,3 faults=preempted:12,client_reset:2.1"
  std::string text() const;
  // Any thread. The reverse; nothing when `text` is no plan.
  static std::optional<Plan> parse(std::string_view text);
};

// What explore() has found.
struct Verdict {
  bool passed = true;
  uint64_t runs = 0;        // all of them, those of shrinking included
  uint64_t trace_hash = 0;  // of all seeds that passed, folded
  // If it failed:
  std::string sentence{};  // what was wrong
  std::string where{};     // file:line of what demanded it; empty for a crash
  Plan plan{};             // the smallest one that fails like this
  uint64_t clients_before = 0, clients_after = 0;
  uint64_t faults_before = 0, faults_after = 0;
  std::string command{};  // repeats it
  std::string report{};   // all of it, as written to ExploreOptions::report

  explicit operator bool() const { return passed; }
};

// Any thread, no fiber. The process must have no other threads: runs are made in copies of it, so
// that a crash, a deadlock or an endless loop of one is a failure like others. Returns at the first
// seed that fails.
Verdict explore(const ExploreOptions& options, const Scenario& scenario);

}}}  // namespace trireme::sim
