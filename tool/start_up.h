// What the tool does before all else: standard descriptors, as the rest takes them for granted.
//
// Part of the tool; main thread.
#pragma once

namespace tool {

// First in main(). Fills standard descriptors that are closed, or the first sockets would be what
// everybody takes for standard output.
void start_up();

}  // namespace tool
