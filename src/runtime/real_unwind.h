// One step up a stack by the unwind tables, for a stack that belongs to somebody else.
//
// Step: below all steps. Thread: any. Reads the tables of loaded objects, and words of the stack
// only through the function that is given.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace trireme::inline v0 {

// A frame of x86-64: what is known of the registers in it.
struct UnwindFrame {
  static constexpr size_t kRegisters = 17;  // DWARF numbers: 6 rbp, 7 rsp, 16 the return address
  uintptr_t code = 0;
  uintptr_t stack = 0;
  std::array<uintptr_t, kRegisters> saved{};
  uint32_t known = 0;  // bits: which of `saved` are known
};

// Any thread. Makes `frame` that of its caller. `innermost`: the code stands at an instruction, not
// behind a call. False: the stack ends, or cannot be followed.
bool unwind_one(UnwindFrame& frame, bool (*read_word)(uintptr_t address, uintptr_t& word),
                bool innermost);

}  // namespace trireme
