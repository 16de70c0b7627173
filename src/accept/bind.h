// Step 1: from a URL to sockets that listen there.
//
// Thread: before start().
#pragma once

#include <span>

#include "accept/loop_door.h"
#include "connection/listening.h"
#include "trireme/result.h"

namespace trireme { inline namespace v0 {

// Before start(). One listening socket for each of `doors`, all at the URL of `listening`, which
// gets its real port. Several share the port by SO_REUSEPORT. A sentence that says what to change
// if that cannot be; the doors own, and close, what was opened by then.
Result<Done> bind_listening(Kernel& kernel, Listening& listening, std::span<LoopDoor* const> doors);

}}  // namespace trireme
