// Step 4, handling: for handlers that know that they will wait.
//
// None of this is needed: under `adaptive` a handler that waits loses its loop by itself, the first
// one after a good millisecond, later ones after some 10 us (docs/dispatch.md). A handler that
// knows it beforehand saves the clients of its loop that time.
#pragma once

#include <chrono>

namespace trireme { inline namespace v0 {

// Handler code: what follows may block. The loop that runs this handler is given to a spare thread
// now; costs some 5 us. Does nothing on a data worker, with Dispatch::kInline, when it was called
// before in this handler, and on threads that are not the server's. In loop code (a codec) it ends
// the process: loop code must not block. Never blocks itself.
void blocking();

// Handler code: waits for `time`, or until the request is not wanted any more (client gone,
// deadline over, drain). True: the time is over; false: cancelled. Gives the loop away first, as
// blocking() does. The deadline ends it under every policy, also where the loop does not turn
// meanwhile. In the simulator and in testing::Conversation it waits by their clock. On
// threads that are not the server's it sleeps; in loop code it ends the process.
bool wait_for(std::chrono::nanoseconds time);

}}  // namespace trireme
