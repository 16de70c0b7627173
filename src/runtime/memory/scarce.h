// Memory that the system may refuse, on the way of the data.
//
// Step: below all steps. Any thread. Our own code throws nothing there: what a container or a
// string throws for lack of memory ends where it was asked for, and costs the connection.
#pragma once

#include <new>
#include <utility>

#include "runtime/system/clock.h"

namespace trireme { inline namespace v0 {

// What must be, and found no memory, is tried again so much later.
inline constexpr Duration kRetryMemory = std::chrono::milliseconds(10);

// False: there was no memory for what `make` does. It has then done nothing.
template <class F>
[[nodiscard]] bool with_memory(F&& make) {
  try {
    std::forward<F>(make)();
    return true;
  } catch (const std::bad_alloc&) {
    return false;
  }
}

}}  // namespace trireme
