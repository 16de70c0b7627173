// What the control groups of this process grant it (cgroups(7)): memory, and time on CPUs.
//
// Step: below all steps. Any thread. Reads files: for the start of a server.
#pragma once

#include <cstdint>
#include <string>

namespace trireme { inline namespace v0 {

struct GroupLimits {
  int64_t memory_bytes = 0;  // 0: no limit
  int cpus = 0;              // what the quota comes to, rounded up; 0: no quota
};

// The least of its own group and of all above it, version 2 or version 1. `root` is in front of
// all paths: a folder that looks like `/`, for tests.
GroupLimits read_group_limits(const std::string& root = "");

}}  // namespace trireme
