// `trireme bench`: from options to an exit status.
//
// Part of the tool.
#pragma once

#include "tool/bench/options.h"

namespace bench {

// Main thread. Blocks until the load is over. Results go to standard output, progress to standard
// error if that is a terminal, what is wrong to standard error. Answers the exit status.
int run_command(BenchOptions options);

}  // namespace bench
