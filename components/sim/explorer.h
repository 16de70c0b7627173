// Runs of a scenario in copies of the process, and what is known of each afterwards.
//
// Step: none, test support. Thread: the one that called explore().
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "sim/director.h"
#include "trireme/sim/explore.h"

namespace trireme { inline namespace v0 { namespace sim {

// A run that failed.
struct FailedRun {
  bool failed = false;  // else the rest says nothing
  uint64_t seed = 0;
  std::string sentence{};
  std::string where{};              // empty for a crash
  std::string key{};                // equal for failures that count as the same
  std::string said{};               // on standard error
  std::vector<uint32_t> clients{};  // that took part
  uint64_t clients_made = 0;
  std::vector<PlannedFault> faults{};  // that happened
  std::vector<std::string> client_names{};
  std::vector<int64_t> fault_times{};
  std::vector<std::string> lines{};
};

class Explorer {
 public:
  // Both outlive it.
  Explorer(const ExploreOptions& options, const Scenario& scenario);
  ~Explorer();
  Explorer(const Explorer&) = delete;
  Explorer& operator=(const Explorer&) = delete;

  // Runs `plan` with the seeds from its own on, up to the first that fails.
  FailedRun run(const Plan& plan, uint64_t seeds, bool keeps_lines = false);
  // The same for one seed in this very process, where a failure aborts.
  void run_here(const Plan& plan);

  uint64_t runs() const { return runs_; }
  uint64_t hash_sum() const { return hash_sum_; }

 private:
  void run_seeds(const Plan& plan, uint64_t seeds, bool in_copy);
  void run_seed(const Plan& plan, bool in_copy);
  FailedRun collect(int status, int stderr_copy);

  const ExploreOptions& options_;
  const Scenario& scenario_;
  RunRecord* record_;  // memory that copies of the process share
  uint64_t runs_ = 0;
  uint64_t hash_sum_ = 0;
};

}}}  // namespace trireme::sim
