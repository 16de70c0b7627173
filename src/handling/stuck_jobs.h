// Names the handlers, codecs and layers that have not returned, for a drain that is over.
//
// Step 4. Thread: the one that drains; not of the crew.
#pragma once

#include <vector>

#include "handling/held_loop.h"
#include "handling/members.h"
#include "handling/side_workers.h"
#include "handling/stop_jobs.h"
#include "roster/server_context.h"
#include "trireme/server.h"

namespace trireme { inline namespace v0 {

// Handlers and steps of layers that run now; and codecs, which takes some time to be sure of: then
// the caller parks on `spot`.
std::vector<StuckJob> find_stuck_jobs(ServerContext& context, const std::vector<HeldLoop*>& loops,
                                      Members& members, const StopJobs& stops,
                                      SideWorkers& layer_workers, ParkSpot& spot);

}}  // namespace trireme
