// Bytes of one connection that have arrived and are not decoded yet: the twin of WriteQueue.
//
// Step 2. Thread: the holder of the loop. Most connections are idle and most requests arrive whole:
// it holds a block only while a part of a request waits. The block may be shared with a job that
// has lost its loop and still reads in front of these bytes: while it is shared it is only appended
// to, never moved within. Bounded by read_ahead_bytes_max and the frame limit (its user stops
// reading), charged to the budget.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>
#include <utility>

#include "connection/input_blocks.h"
#include "runtime/check.h"

namespace trireme { inline namespace v0 {

class InputBuffer {
 public:
  size_t bytes() const { return end_ - begin_; }
  std::string_view view() const { return bytes() == 0 ? std::string_view{} : viewed(); }
  // It may hold a block although it has no bytes: what was decoded last lies there.
  bool has_block() const { return block_ != nullptr; }

  // Copies `bytes` behind what is there. False: the budget refuses, or the system.
  [[nodiscard]] bool append(InputBlocks& blocks, std::string_view bytes);
  // The first `bytes` are decoded. They stay where they are.
  void consume(size_t bytes) {
    CHECK(bytes <= this->bytes(), "more is consumed than there was");
    begin_ += static_cast<uint32_t>(bytes);
  }
  // Undoes consume, if `bytes` are the ones that were consumed last. False: they lie elsewhere.
  [[nodiscard]] bool unconsume(std::string_view bytes);
  // Takes a block of its own, filled with `front` and `rest`, which may lie in the present one.
  // False: there is no memory, and nothing has changed.
  [[nodiscard]] bool put_in_front(InputBlocks& blocks, std::string_view front,
                                  std::string_view rest);
  // Drops the bytes, for nobody will decode them. A block stays: a job may look at it.
  void clear() { begin_ = end_ = 0; }
  // Gives the block away, with what is in it.
  void drop(InputBlocks& blocks) {
    clear();
    blocks.keep(std::move(block_));
  }
  void reset() {
    clear();
    block_.reset();
  }

  // A spare, while the loop is TAKEN: no allocation. For a job that looks at bytes which were
  // consumed.
  const std::shared_ptr<Block>& share() const { return block_; }
  // Likewise. With no block yet: shares `block`, of which it takes `bytes`.
  void share(std::shared_ptr<Block> block, std::string_view bytes);

 private:
  std::string_view viewed() const { return {block_->data() + begin_, bytes()}; }

  std::shared_ptr<Block> block_;
  uint32_t begin_ = 0;  // the bytes are [begin, end) of the block
  uint32_t end_ = 0;
};

}}  // namespace trireme
