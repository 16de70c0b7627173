// The stack of another thread of this process while it waits, read from outside.
//
// Step: below all steps. Thread: any but the one that is asked about.
#pragma once

#include <cstdint>
#include <string>

namespace trireme::inline v0 {

// Any thread. See Threads::stack_of. `thread` is a kernel thread id.
std::string real_stack_of(uint64_t thread);

}  // namespace trireme
