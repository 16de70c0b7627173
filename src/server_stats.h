// The statistics of a server, added up from the books of its loops. Thread: any.
#pragma once

#include "handling/placement.h"
#include "roster/server_context.h"
#include "trireme/stats.h"

namespace trireme { inline namespace v0 {

Stats collect_stats(ServerContext& context, uint64_t data_workers);
// Adds what one loop knows of a kind.
void add_kind(KindStats& sum, const KindRecord& record);

}}  // namespace trireme
