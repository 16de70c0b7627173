#include "runtime/memory/buffers.h"

#include <new>

#include "runtime/check.h"
#include "runtime/system/real_memory.h"

namespace trireme { inline namespace v0 {

namespace {

// From here on the system itself gives the memory. Under the address sanitizer nothing is so large:
// it guards what malloc gives.
#if defined(__SANITIZE_ADDRESS__)
constexpr size_t kMappedBytesMin = SIZE_MAX;
#else
constexpr size_t kMappedBytesMin = 8 << 10;
#endif
// On a cache line, as the buffers of a hand-written loop are.
constexpr std::align_val_t kAlignment{64};

}  // namespace

Block::~Block() {
  if (memory_ == nullptr) return;
  if (is_mapped_) {
    unmap_memory(memory_, capacity_);
  } else {
    ::operator delete(memory_, kAlignment);
  }
  if (owner_ != nullptr) owner_->discharge(capacity_);
  if (owner_ != nullptr) owner_->gone_.fetch_add(1, std::memory_order_relaxed);
}

Buffers::~Buffers() {
  CHECK_EQUAL(made(), gone(), "a buffer outlived its budget");
  CHECK_EQUAL(bytes_now(), 0, "bytes are still charged to a budget that ends");
}

Block Buffers::make(size_t capacity) {
  if (!charge(capacity)) return {};
  return make_charged(capacity);
}

// Unset, or zeroes: it is written before anybody reads it.
Block Buffers::make_uncounted(size_t capacity) {
  Block block;
  if (capacity >= kMappedBytesMin) block.memory_ = map_memory(capacity);
  block.is_mapped_ = block.memory_ != nullptr;
  if (!block.is_mapped_) {
    block.memory_ = static_cast<char*>(::operator new(capacity, kAlignment, std::nothrow));
  }
  if (block.memory_ == nullptr) return {};
  block.capacity_ = capacity;
  return block;
}

Block Buffers::make_charged(size_t capacity) {
  Block block = make_uncounted(capacity);
  if (!block) {
    discharge(capacity);
    return block;
  }
  block.owner_ = this;
  made_.fetch_add(1, std::memory_order_relaxed);
  return block;
}

Block Buffers::make_fixed(size_t capacity) {
  Block block = try_make_fixed(capacity);
  CHECK(block, "the system has no memory for the buffers of a loop");
  return block;
}

Block Buffers::try_make_fixed(size_t capacity) {
  const int64_t now =
      bytes_now_.fetch_add(static_cast<int64_t>(capacity), std::memory_order_relaxed);
  raise_peak(now + static_cast<int64_t>(capacity));
  return make_charged(capacity);
}

bool Buffers::charge(size_t bytes) {
  if (bytes == 0) return true;
  const auto amount = static_cast<int64_t>(bytes);
  const int64_t before = bytes_now_.fetch_add(amount, std::memory_order_relaxed);
  if (before + amount > bytes_max_) {
    bytes_now_.fetch_sub(amount, std::memory_order_relaxed);
    return false;
  }
  raise_peak(before + amount);
  return true;
}

void Buffers::discharge(size_t bytes) {
  const int64_t before =
      bytes_now_.fetch_sub(static_cast<int64_t>(bytes), std::memory_order_relaxed);
  CHECK(before >= static_cast<int64_t>(bytes), "more bytes were given back than taken");
}

void Buffers::raise_peak(int64_t now) {
  int64_t peak = bytes_peak_.load(std::memory_order_relaxed);
  while (now > peak && !bytes_peak_.compare_exchange_weak(peak, now, std::memory_order_relaxed)) {
  }
}

}}  // namespace trireme
