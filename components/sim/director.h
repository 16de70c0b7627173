// Watches over one run: which clients and faults take part, what has happened, how it ended.
//
// Step: none, test support. Thread: any fiber of the world.
//
// The record lies in memory that outlives the run, also when the process of the run dies: its
// fields have fixed sizes, and each is complete before it is counted.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string_view>
#include <tuple>
#include <utility>

#include "runtime/system/clock.h"
#include "sim/faults.h"
#include "trireme/sim/explore.h"
#include "trireme/sim/where.h"

namespace trireme { inline namespace v0 { namespace sim {

class Scheduler;

struct RunRecord {
  static constexpr size_t kClientsMax = 4'096;
  static constexpr size_t kFaultsMax = 16'384;
  static constexpr size_t kLinesMax = 256;
  static constexpr size_t kLineBytes = 160;

  uint64_t seed;
  uint64_t hash_sum;  // of the runs that passed
  uint64_t runs;
  bool keeps_lines;
  bool failed;  // by a sentence; a process that died has left false
  char sentence[4'096];
  char where[512];  // file:line
  uint32_t clients_count;
  char client_names[kClientsMax][24];
  bool takes_part[kClientsMax];
  uint32_t faults_count;
  PlannedFault faults[kFaultsMax];
  int64_t fault_times[kFaultsMax];  // nanoseconds since the world began
  uint32_t lines_count;             // ever written; the last kLinesMax are here
  char lines[kLinesMax][kLineBytes];
};

class Director final : public FaultGate {
 public:
  // `record` outlives it. `plan`: null for a run in which everything takes part. `in_copy`: the
  // process is a copy that may end with the run.
  Director(RunRecord& record, const Plan* plan, bool in_copy);

  // Before the run begins.
  void attach(Scheduler& scheduler) { scheduler_ = &scheduler; }

  bool lets(FaultKind kind, uint32_t client) override;
  // The number of a new client, and whether it takes part.
  std::pair<uint32_t, bool> add_client(std::string_view name);
  bool keeps_lines() const { return record_.keeps_lines; }
  // Adds a line to what has happened. Does nothing unless lines are kept.
  void tell(std::string_view line);
  [[noreturn]] void fail(std::string_view sentence, Where where);
  uint64_t happened(FaultKind kind) const { return happened_[static_cast<size_t>(kind)]; }

  static constexpr int kFailedStatus = 3;  // of a copy of the process

 private:
  Duration elapsed() const;

  RunRecord& record_;
  const bool in_copy_;
  std::optional<std::set<uint32_t>> clients_;
  std::optional<std::set<std::tuple<FaultKind, uint32_t, uint32_t>>> faults_;
  std::map<std::pair<FaultKind, uint32_t>, uint32_t> drawn_;
  std::array<uint64_t, kFaultKindCount> happened_{};
  Scheduler* scheduler_ = nullptr;
};

// "1.234 ms"
std::string milliseconds_text(Duration duration);

}}}  // namespace trireme::sim
