// Output that must not hold up the program: to a pipe that nobody reads, or a terminal that stands
// still.
#pragma once

#include <functional>
#include <string>

namespace tool {

// Any thread. Runs `body` on a thread of its own, which blocks all signals, and waits for it, but
// not longer than 200 ms: then it is left alone, and must use nothing that goes away. Where the
// system has no thread, it runs here.
void run_aside(std::function<void()> body);

// Any thread. Writes to standard output in this way. A write that fails is given up.
void print_aside(std::string text);

}  // namespace tool
