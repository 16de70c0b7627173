#include "connection/input_blocks.h"

#include <algorithm>
#include <utility>

#include "runtime/memory/scarce.h"

namespace trireme { inline namespace v0 {

std::shared_ptr<Block> InputBlocks::make(size_t bytes) {
  if (bytes <= kBytesMin && !spares_.empty()) {
    std::shared_ptr<Block> spare = std::move(spares_.back());
    spares_.pop_back();
    return spare;
  }
  Block made = budget_.make(std::max(bytes, kBytesMin));
  std::shared_ptr<Block> shared;
  if (!made || !with_memory([&] { shared = std::make_shared<Block>(std::move(made)); })) return {};
  return shared;
}

void InputBlocks::keep(std::shared_ptr<Block> block) {
  if (block == nullptr || block.use_count() > 1 || block->capacity() != kBytesMin) return;
  if (spares_.size() < kSparesMax && !budget_.under_pressure()) spares_.push_back(std::move(block));
}

}}  // namespace trireme
