// Log lines of the tool: to standard error, with time and level. Standard output is for results.
//
// The only file that knows spdlog is log.cc.
#pragma once

#include "trireme/options.h"

namespace tool {

namespace tr = trireme;

// Before start(). A sink that writes lines of `level` and above, each at once: a process that ends
// by _Exit has written all of them. Any thread may call the sink, several at once.
tr::LogSink make_log(tr::LogLevel level);

}  // namespace tool
