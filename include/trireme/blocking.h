// Step 4, handling: for handlers that know that they will wait.
//
// Thread: the one that runs the handler. No handler needs these functions: under `adaptive` a
// handler that waits loses its loop without them, the first one after a good millisecond, later
// ones after some 10 us (docs/dispatch.md). A handler that calls them first saves the clients of
// its loop that time.
#pragma once

#include <chrono>
#include <cstdint>

#include "trireme/detail/saturated.h"

namespace trireme { inline namespace v0 {

// Any thread. Says that the handler may block from here on. The loop that runs this handler goes to
// a spare thread at once, which costs some 5 us. Never blocks. Does nothing on a data worker, with
// Dispatch::kInline, at a second call in the same handler, and on threads of others. A codec must
// not call it: loop code must not block, and the call ends the process.
void blocking();

// Any thread. Blocks for `time`, or until the request is no longer wanted: the client is gone, the
// deadline is over, or the server drains. True: the time is over. False: the request was cancelled.
// Gives the loop away first, as blocking() does. The deadline ends the wait under every dispatch
// policy, also while the loop stands still. The simulator and testing::Conversation wait by their
// own clocks. On threads of others it sleeps. A codec must not call it: the call ends the process.
bool wait_for(std::chrono::nanoseconds time);
template <class Rep, class Period>
bool wait_for(std::chrono::duration<Rep, Period> time) {
  return wait_for(detail::saturated(time));
}

// What has ended a wait.
enum class WaitResult : uint8_t {
  kReady,     // the descriptor is; or it has an error or an end, which the next read or write tells
  kTimeOver,  // it is not
  kCancelled,  // the request is no longer wanted, as with wait_for()
};

// Any thread. Blocks until `fd` can be read, or written, without blocking, for `time` at most, and
// ends when the request is no longer wanted: the way to wait for a database or another server in a
// handler. `fd` is borrowed. Otherwise as wait_for(): gives the loop away first, ends with the
// deadline under every dispatch policy, and on threads of others waits for the descriptor alone. A
// codec must not call it: the call ends the process.
WaitResult wait_readable(int fd, std::chrono::nanoseconds time);
template <class Rep, class Period>
WaitResult wait_readable(int fd, std::chrono::duration<Rep, Period> time) {
  return wait_readable(fd, detail::saturated(time));
}
WaitResult wait_writable(int fd, std::chrono::nanoseconds time);
template <class Rep, class Period>
WaitResult wait_writable(int fd, std::chrono::duration<Rep, Period> time) {
  return wait_writable(fd, detail::saturated(time));
}

}}  // namespace trireme
