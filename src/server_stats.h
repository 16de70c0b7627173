// The statistics of a server, added up from the books of its loops. Thread: any.
#pragma once

#include "handling/placement.h"
#include "reply/core.h"
#include "trireme/stats.h"

namespace trireme { inline namespace v0 {

Stats collect_stats(Core& core, uint64_t data_workers);
// Adds what one loop knows of a kind.
void add_kind(KindStats& sum, const KindRecord& record);

}}  // namespace trireme
