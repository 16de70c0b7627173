// Makes a plan smaller while it fails in the same way: delta debugging over clients and faults.
//
// Step: none, test support. Thread: the one that called explore().
#pragma once

#include "sim/explorer.h"

namespace trireme { inline namespace v0 { namespace sim {

struct Shrunk {
  Plan plan;
  FailedRun run;  // of that plan
};

// `failed` is a run of all clients and all faults of its seed. At most `runs_max` runs more.
Shrunk shrink(Explorer& explorer, const FailedRun& failed, uint64_t runs_max);

}}}  // namespace trireme::sim
