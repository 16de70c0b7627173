// One seed: a server, its clients, the drain, and the judgement.
#pragma once

#include <cstdint>
#include <cstdio>
#include <string>

namespace seeds {

struct Outcome {
  uint64_t hash = 0;
  uint64_t steps = 0;
  std::string complaint;  // empty: all was as it should be
  std::string plan;
  // What happened, to see that the seeds reach it.
  uint64_t requests = 0, hand_overs = 0, hand_overs_told = 0, drain_cuts = 0, whole_clients = 0,
           cut_short = 0;
};

// `log`: one line for each seam call, or null. Aborts when the world cannot go on.
Outcome run_seed(uint64_t seed, std::FILE* log = nullptr);

}  // namespace seeds
