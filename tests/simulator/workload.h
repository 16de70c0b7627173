// A small echo server and its clients in one world: what the determinism test and sim_hash run.
// It uses every seam (threads, parking, epoll of both kinds, eventfd) and all that a seed draws.
#pragma once

#include <cstdint>
#include <cstdio>
#include <string>

namespace trireme { inline namespace v0 { namespace sim {

struct Outcome {
  uint64_t hash = 0;
  uint64_t steps = 0;
  uint64_t bytes_echoed = 0;
  std::string complaint;  // empty: all clients got what they should, and all books balance
};

// `log` as in MachineOptions.
Outcome run_workload(uint64_t seed, std::FILE* log = nullptr);

}}}  // namespace trireme::sim
