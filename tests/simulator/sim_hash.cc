// Prints the trace hash of each seed, so that builds of different compilers can be compared:
//   sim_hash [SEEDS [FIRST]]      one line a seed: seed, hash, steps
//   sim_hash --log SEED           every seam call of one seed, on stdout
// Exits with 1 when a client of the workload did not get what it should.
#include <cinttypes>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "workload.h"

namespace sim = trireme::sim;

int main(int argc, char** argv) {
  if (argc == 3 && std::strcmp(argv[1], "--log") == 0) {
    const auto outcome = sim::run_workload(std::strtoull(argv[2], nullptr, 10), stdout);
    return outcome.complaint.empty() ? 0 : 1;
  }
  const uint64_t seeds = argc > 1 ? std::strtoull(argv[1], nullptr, 10) : 100;
  const uint64_t first = argc > 2 ? std::strtoull(argv[2], nullptr, 10) : 1;
  int status = 0;
  for (uint64_t seed = first; seed < first + seeds; ++seed) {
    const auto outcome = sim::run_workload(seed);
    std::printf("%" PRIu64 " %016" PRIx64 " %" PRIu64 " %s\n", seed, outcome.hash, outcome.steps,
                outcome.complaint.c_str());
    if (!outcome.complaint.empty()) status = 1;
  }
  return status;
}
