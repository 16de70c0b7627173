// Input of one channel that has come from the kernel and may not be told yet: bytes, and the end or
// the error behind them.
//
// Step: below step 2. Thread: the holder of the loop. Its memory is the budget's.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <utility>

#include "runtime/memory/buffers.h"

namespace trireme { inline namespace v0 { namespace uring {

class HeldInput {
 public:
  uint32_t bytes() const { return end_ - begin_; }
  // Something is to be told as soon as somebody reads.
  bool is_due() const { return bytes() > 0 || is_end_due(); }
  bool is_end_due() const { return end_due_ || error_due_ != 0; }

  // False: the budget refuses.
  [[nodiscard]] bool append(Buffers& budget, std::span<const char> bytes) {
    if (block_.capacity() - end_ < bytes.size()) {
      const uint32_t have = this->bytes();
      Block larger = budget.make(std::max<size_t>(2 * size_t{have} + bytes.size(), 256));
      if (!larger) return false;
      if (have > 0) std::memcpy(larger.data(), block_.data() + begin_, have);
      block_ = std::move(larger);
      begin_ = 0;
      end_ = have;
    }
    std::memcpy(block_.data() + end_, bytes.data(), bytes.size());
    end_ += static_cast<uint32_t>(bytes.size());
    return true;
  }
  // Takes at most `bytes_max` from the front. They stay where they are until the block goes.
  std::span<char> take(size_t bytes_max) {
    const size_t size = std::min<size_t>(bytes(), bytes_max);
    const std::span<char> taken = block_.span().subspan(begin_, size);
    begin_ += static_cast<uint32_t>(size);
    return taken;
  }
  // Gives the block away, with what is in it.
  Block take_block() {
    begin_ = end_ = 0;
    return std::move(block_);
  }
  void drop_bytes() { take_block(); }

  // An end of the stream: 0, or an error: -errno.
  void note_end(int32_t result) {
    end_due_ = end_due_ || result == 0;
    if (result != 0) error_due_ = result;
  }
  // What is to be told behind the bytes; of both the error.
  int32_t end_result() const { return error_due_; }
  void note_end_told() { end_due_ = false; }

 private:
  Block block_;
  uint32_t begin_ = 0, end_ = 0;
  int32_t error_due_ = 0;
  bool end_due_ = false;
};

}}}  // namespace trireme::uring
