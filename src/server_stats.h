// The statistics of a server, added up from the books of its loops. Thread: any.
#pragma once

#include "reply/core.h"
#include "trireme/stats.h"

namespace trireme::inline v0 {

Stats collect_stats(Core& core, uint64_t data_workers);

}  // namespace trireme
