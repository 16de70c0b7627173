// The memory of InputBuffers of one loop, and the spare blocks that it keeps: on a busy loop there
// is always one that comes before the one in front of it is home from its data worker.
//
// Step 2. Thread: the holder of the loop. Bounded: kSparesMax blocks of the least size, none of
// them while memory is short; all blocks count against the budget.
#pragma once

#include <cstddef>
#include <memory>
#include <vector>

#include "runtime/memory/buffers.h"

namespace trireme { inline namespace v0 {

class InputBlocks {
 public:
  static constexpr size_t kBytesMin = 4 << 10;  // of a block

  explicit InputBlocks(Buffers& budget) : budget_(budget) { spares_.reserve(kSparesMax); }

  // A block of `bytes` or more. Null: the budget refuses, or the system.
  std::shared_ptr<Block> make(size_t bytes);
  // A block that is not needed now: kept for the next, or given back to the system. Null is
  // allowed.
  void keep(std::shared_ptr<Block> block);
  // The loop ends.
  void clear() { spares_.clear(); }

 private:
  static constexpr size_t kSparesMax = 16;

  Buffers& budget_;
  std::vector<std::shared_ptr<Block>> spares_;
};

}}  // namespace trireme
