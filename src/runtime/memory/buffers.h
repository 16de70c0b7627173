// Memory for bytes in flight, counted against one budget of the process, which can refuse.
//
// Step: below all steps. Thread: any; the counters are atomic, a Block belongs to one owner.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <utility>

namespace trireme { inline namespace v0 {

class Buffers;

constexpr size_t kBudgetStandard = 256 << 20;  // where none was chosen

// An owned piece of memory; gives it back when it dies. Empty by default.
class Block {
 public:
  Block() = default;
  Block(Block&& other) noexcept
      : memory_(std::exchange(other.memory_, nullptr)),
        capacity_(std::exchange(other.capacity_, 0)),
        owner_(std::exchange(other.owner_, nullptr)),
        is_mapped_(other.is_mapped_) {}
  Block& operator=(Block&& other) noexcept {
    Block gone(std::move(other));
    swap(gone);
    return *this;
  }
  ~Block();

  char* data() { return memory_; }
  const char* data() const { return memory_; }
  size_t capacity() const { return capacity_; }
  explicit operator bool() const { return memory_ != nullptr; }
  std::span<char> span() { return {data(), capacity_}; }
  void swap(Block& other) noexcept {
    std::swap(memory_, other.memory_);
    std::swap(capacity_, other.capacity_);
    std::swap(owner_, other.owner_);
    std::swap(is_mapped_, other.is_mapped_);
  }

 private:
  friend class Buffers;
  char* memory_ = nullptr;
  size_t capacity_ = 0;
  Buffers* owner_ = nullptr;
  bool is_mapped_ = false;
};

// The budget. One per server; outlives every Block and charge.
class Buffers {
 public:
  // Clamped so that SIZE_MAX, a user's "no limit", stays a positive number whose multiples can be
  // computed.
  explicit Buffers(size_t bytes_max)
      : bytes_max_(static_cast<int64_t>(std::min<size_t>(bytes_max, INT64_MAX / 4))) {}
  ~Buffers();
  Buffers(const Buffers&) = delete;
  Buffers& operator=(const Buffers&) = delete;

  // Any thread. An empty Block when the budget is used up, or the system has no memory.
  Block make(size_t capacity);
  // Any thread. The same without asking the budget: for the fixed buffers of loops.
  Block try_make_fixed(size_t capacity);
  // Before start(). Likewise; without memory there is no loop, and the process ends.
  Block make_fixed(size_t capacity);
  // Any thread. The same outside the budget: the caller has charged what it holds.
  static Block make_uncounted(size_t capacity);

  // Any thread. Counts bytes that somebody else allocated (a reply string that waits to be
  // written). False: over the budget, nothing was counted.
  [[nodiscard]] bool charge(size_t bytes);
  void discharge(size_t bytes);

  // Any thread. Half of the budget is in use: hold clients back at once.
  bool under_pressure() const {
    return bytes_now_.load(std::memory_order_relaxed) * 2 > bytes_max_;
  }
  // Any thread. Three quarters are in use: take no new connections.
  bool nearly_full() const {
    return bytes_now_.load(std::memory_order_relaxed) * 4 > bytes_max_ * 3;
  }

  int64_t bytes_now() const { return bytes_now_.load(std::memory_order_relaxed); }
  int64_t bytes_peak() const { return bytes_peak_.load(std::memory_order_relaxed); }
  uint64_t made() const { return made_.load(std::memory_order_relaxed); }
  uint64_t gone() const { return gone_.load(std::memory_order_relaxed); }

 private:
  friend class Block;
  Block make_charged(size_t capacity);
  void raise_peak(int64_t now);

  // All relaxed: plain counts, they publish nothing.
  const int64_t bytes_max_;
  std::atomic<int64_t> bytes_now_{0};
  std::atomic<int64_t> bytes_peak_{0};
  std::atomic<uint64_t> made_{0};
  std::atomic<uint64_t> gone_{0};
};

// A charge that is given back when it dies.
class Charge {
 public:
  Charge() = default;
  // `budget` was charged with `bytes` before.
  Charge(Buffers& budget, size_t bytes) : budget_(&budget), bytes_(bytes) {}
  Charge(Charge&& other) noexcept
      : budget_(other.budget_), bytes_(std::exchange(other.bytes_, 0)) {}
  Charge& operator=(Charge&& other) noexcept {
    std::swap(budget_, other.budget_);
    std::swap(bytes_, other.bytes_);
    return *this;
  }
  explicit operator bool() const { return bytes_ > 0; }
  ~Charge() {
    if (bytes_ > 0) budget_->discharge(bytes_);
  }

 private:
  Buffers* budget_ = nullptr;
  size_t bytes_ = 0;
};

}}  // namespace trireme
