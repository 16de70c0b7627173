// Memory straight from the system, which has it back as soon as it is freed.
//
// Step: below all steps. Any thread.
//
// Large blocks come and go with floods of input. From malloc they would leave holes in its heap
// that stay resident: the process would hold half as much again as its budget says.
#pragma once

#include <cstddef>

namespace trireme { inline namespace v0 {

// `bytes` of zeroes on a page boundary; null: there is none. Pages cost memory once they are
// touched.
char* map_memory(size_t bytes);
void unmap_memory(char* memory, size_t bytes);

}}  // namespace trireme
