// Log lines of the tool: to standard error, with time and level. Standard output is for results.
//
// The only file that knows spdlog is log.cc.
#pragma once

#include "trireme/options.h"

namespace tool {

namespace tr = trireme;

// Any thread. A sink that writes lines of `level` and above, each at once; it blocks while nobody
// reads. Any thread may call it, several at once.
tr::LogSink make_log(tr::LogLevel level);

}  // namespace tool
