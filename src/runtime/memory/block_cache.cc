#include "runtime/memory/block_cache.h"

#include <algorithm>
#include <bit>
#include <utility>

#include "runtime/memory/scarce.h"

namespace trireme { inline namespace v0 {

size_t BlockCache::capacity_for(size_t bytes) { return std::bit_ceil(bytes); }

Block BlockCache::take(size_t bytes) {
  const size_t capacity = capacity_for(bytes);
  const auto fits = std::find_if(kept_.rbegin(), kept_.rend(), [capacity](const Block& block) {
    return block.capacity() == capacity;
  });
  if (fits == kept_.rend()) return Buffers::make_uncounted(capacity);
  std::swap(*fits, kept_.back());
  Block block = std::move(kept_.back());
  kept_.pop_back();
  bytes_ -= capacity;
  return block;
}

void BlockCache::keep(Block block) {
  if (bytes_ + block.capacity() > bytes_max_) return;
  const size_t capacity = block.capacity();
  if (with_memory([&] { kept_.push_back(std::move(block)); })) bytes_ += capacity;
}

void BlockCache::clear() {
  bytes_ = 0;
  kept_.clear();
}

}}  // namespace trireme
