// Large blocks that were used a moment ago, for what comes next: fresh memory of the system costs
// more than most that is done with it.
//
// Step: below all steps. Thread: one owner. Bounded by bytes; what it holds is not counted by the
// budget, whoever takes a block charges its capacity.
#pragma once

#include <cstddef>
#include <vector>

#include "runtime/memory/buffers.h"

namespace trireme { inline namespace v0 {

class BlockCache {
 public:
  explicit BlockCache(size_t bytes_max) : bytes_max_(bytes_max) {}

  // What a block for `bytes` has: steps of two, so that the blocks of one request fit the next.
  static size_t capacity_for(size_t bytes);
  // One of capacity_for(bytes), kept or new. Empty: the system has no memory.
  Block take(size_t bytes);
  // Kept if there is room; otherwise the system has it back.
  void keep(Block block);
  void clear();

 private:
  const size_t bytes_max_;
  size_t bytes_ = 0;
  std::vector<Block> kept_;
};

}}  // namespace trireme
