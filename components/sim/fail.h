// How the simulator refuses: one sentence on stderr, then abort().
//
// Step: none, test support. Thread: any fiber of a world, or the thread that runs it.
#pragma once

#include <string_view>

namespace trireme { inline namespace v0 { namespace sim {

// Any thread. For misuse of the seams (an unknown descriptor, a double close), deadlock and
// livelock: states in which no result could be given that Linux would give.
[[noreturn]] void fail(std::string_view sentence);

}}}  // namespace trireme::sim
