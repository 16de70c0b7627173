// Prints one line a seed, so that builds of different compilers can be compared:
//   seeds_hash [SEEDS [FIRST]]     seed, hash, steps, complaint
//   seeds_hash --log SEED          every seam call of one seed, on stdout
// Exits with 1 when a seed has a complaint. A sum of what happened goes to stderr.
#include <cinttypes>
#include <cstdlib>
#include <cstring>

#include "workload.h"

int main(int argc, char** argv) {
  if (argc == 3 && std::strcmp(argv[1], "--log") == 0) {
    const auto outcome = seeds::run_seed(std::strtoull(argv[2], nullptr, 10), stdout);
    std::printf("%s\n%s\n", outcome.plan.c_str(), outcome.complaint.c_str());
    return outcome.complaint.empty() ? 0 : 1;
  }
  const uint64_t seeds = argc > 1 ? std::strtoull(argv[1], nullptr, 10) : 100;
  const uint64_t first = argc > 2 ? std::strtoull(argv[2], nullptr, 10) : 1;
  int status = 0;
  seeds::Outcome sum;
  for (uint64_t seed = first; seed < first + seeds; ++seed) {
    const auto outcome = seeds::run_seed(seed);
    std::printf("%" PRIu64 " %016" PRIx64 " %" PRIu64 " %s\n", seed, outcome.hash, outcome.steps,
                outcome.complaint.c_str());
    std::fflush(stdout);
    if (!outcome.complaint.empty()) status = 1;
    sum.steps += outcome.steps;
    sum.requests += outcome.requests;
    sum.hand_overs += outcome.hand_overs;
    sum.hand_overs_told += outcome.hand_overs_told;
    sum.drain_cuts += outcome.drain_cuts;
    sum.whole_clients += outcome.whole_clients;
    sum.cut_short += outcome.cut_short;
  }
  std::fprintf(stderr,
               "%" PRIu64 " steps, %" PRIu64 " requests, %" PRIu64 " hand-overs (%" PRIu64
               " told), %" PRIu64 " connections cut; clients: %" PRIu64
               " with all replies, %" PRIu64 " without\n",
               sum.steps, sum.requests, sum.hand_overs, sum.hand_overs_told, sum.drain_cuts,
               sum.whole_clients, sum.cut_short);
  return status;
}
