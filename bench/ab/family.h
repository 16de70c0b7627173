// A server that is more than one process: what it and its children have used together.
#pragma once

#include <sys/types.h>

#include <cstdint>

#include "load/process.h"

namespace bench {

// Like read_usage and wait_settled_cpu_ns. Of children that have ended nothing is counted.
load::ProcessUsage read_family_usage(pid_t pid);
int64_t wait_settled_family_cpu_ns(pid_t pid);

}  // namespace bench
