// Bytes on their way out, with their place in the budget: a string of their own, or shared ones.
//
// Step 5. Thread: any; a value of one owner.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "runtime/memory/buffers.h"
#include "trireme/bytes.h"

namespace trireme { inline namespace v0 {

// One of the places in a server where shared bytes wait. The first of them charges the budget, the
// last one gives back. Bytes that wait in two servers at once are charged to the first budget like
// this, and to the second for each place.
class SharedUse {
 public:
  SharedUse() = default;
  SharedUse(SharedUse&& other) noexcept
      : bytes_(std::exchange(other.bytes_, {})), budget_(other.budget_), apart_(other.apart_) {}
  SharedUse& operator=(SharedUse&& other) noexcept {
    std::swap(bytes_, other.bytes_);
    std::swap(budget_, other.budget_);
    std::swap(apart_, other.apart_);
    return *this;
  }
  ~SharedUse() {
    const detail::SharedBlock* const block = bytes_.block();
    if (block == nullptr) return;
    if (apart_ || block->uses.fetch_sub(1, std::memory_order_relaxed) == 1)
      budget_->discharge(bytes_.size());
  }

  // Nothing: the budget refuses.
  static std::optional<SharedUse> begin(SharedBytes bytes, Buffers& budget) {
    const detail::SharedBlock* const block = bytes.block();
    Buffers* first = nullptr;
    const bool apart =
        block != nullptr &&
        !block->budget.compare_exchange_strong(first, &budget, std::memory_order_relaxed) &&
        first != &budget;
    if (block != nullptr && !(apart ? budget.charge(bytes.size()) : count(*block, budget))) {
      return {};
    }
    return SharedUse(std::move(bytes), budget, apart);
  }

  const SharedBytes& bytes() const { return bytes_; }

 private:
  SharedUse(SharedBytes bytes, Buffers& budget, bool apart)
      : bytes_(std::move(bytes)), budget_(&budget), apart_(apart) {}

  // Every step from 0 to 1 has one charge of its own, every step back one discharge: in whatever
  // order they come, the budget has one charge or, for a moment, more.
  static bool count(const detail::SharedBlock& block, Buffers& budget) {
    uint32_t uses = block.uses.load(std::memory_order_relaxed);
    bool is_charged = false;
    while (true) {
      if (uses == 0 && !is_charged && !budget.charge(block.bytes.size())) return false;
      is_charged = is_charged || uses == 0;
      if (block.uses.compare_exchange_weak(uses, uses + 1, std::memory_order_relaxed)) break;
    }
    if (uses > 0 && is_charged) budget.discharge(block.bytes.size());
    return true;
  }

  SharedBytes bytes_;
  Buffers* budget_ = nullptr;
  bool apart_ = false;  // another server was first
};

class ChargedBytes {
 public:
  ChargedBytes() = default;
  // `budget` was charged with bytes.size() before.
  ChargedBytes(std::string bytes, Buffers& budget)
      : own_(std::move(bytes)), charge_(budget, own_.size()) {}
  // `charge`: of the bytes, and of what carries them.
  ChargedBytes(std::string bytes, Charge charge)
      : own_(std::move(bytes)), charge_(std::move(charge)) {}
  explicit ChargedBytes(SharedUse use) : shared_(std::move(use)) {}

  std::string_view text() const {
    return shared_.bytes().block() != nullptr ? shared_.bytes().view() : std::string_view(own_);
  }

 private:
  std::string own_;
  Charge charge_;
  SharedUse shared_;
};

}}  // namespace trireme
