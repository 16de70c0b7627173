// Service `delay`: a stand-in for a handler that blocks as long as its client says.
//
// A line `ID MICROSECONDS` is answered `ID` after that time; anything else gets `ERR` and a
// sentence, and the connection lives on. A user of the public API alone; its handler runs wherever
// the dispatch policy puts it.
#pragma once

#include <chrono>
#include <functional>
#include <string>
#include <string_view>

#include "trireme/answer.h"
#include "trireme/server.h"

namespace services {

namespace tr = trireme;

// Blocks its caller for a time. The simulator brings its own, which lets simulated time pass.
using Sleep = std::function<void(std::chrono::nanoseconds)>;

// Any thread. Blocks in the kernel, whatever signals arrive, until `time` has passed on the steady
// clock.
void blocking_sleep(std::chrono::nanoseconds time);

// Any thread. The handler without its server: blocks in `sleep` unless the time is 0. The answer is
// a view of `line`.
tr::Answer answer_delay(std::string_view line, const Sleep& sleep);

// Before start(). Serves delay at `url`; a wrong URL is reported by Server::start(). Several
// threads call `sleep` at once.
void add_delay(tr::Server& server, const std::string& url, const tr::ListenOptions& options,
               Sleep sleep = blocking_sleep);

}  // namespace services
