// The session of a connection that is full is told when there is room again.
//
// Step 5. Thread: any.
#pragma once

#include "roster/server_context.h"

namespace trireme { inline namespace v0 {

// Any thread. Asks once until it is told; nothing for a connection without on_writable.
void ask_room(ServerContext& context, ConnectionId id);

}}  // namespace trireme
