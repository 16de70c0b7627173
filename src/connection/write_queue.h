// Bytes of one connection that the socket has not taken yet.
//
// Step 6. Thread: the holder of the loop. Holds memory only while there are such bytes.
#pragma once

#include <sys/uio.h>

#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include "reply/mail.h"
#include "runtime/buffers.h"

namespace trireme::inline v0 {

class WriteQueue {
 public:
  bool empty() const { return bytes_ == 0; }
  size_t bytes() const { return bytes_; }

  // Copies `bytes` behind what is there. False when the budget refuses.
  [[nodiscard]] bool append(Buffers& budget, std::span<const char> bytes);
  // Takes `bytes`, of which the first `skip` have left already. `latest`: may be dropped by
  // drop_latest.
  void append(ChargedBytes bytes, size_t skip, bool latest);
  // Copies `bytes` in front of what is there. False when the budget refuses.
  [[nodiscard]] bool prepend(Buffers& budget, std::span<const char> bytes);
  // Drops chunks that were appended as `latest` and of which nothing has left.
  void drop_latest();
  void clear();

  // Up to pieces.size() pieces from the front, for one send. Returns how many.
  size_t front(std::span<iovec> pieces) const;
  // The first `bytes` have left.
  void pop(size_t bytes);

 private:
  // Either a block that is filled up to `end`, or bytes that somebody else made.
  struct Chunk {
    Block block;
    ChargedBytes owned;
    size_t begin = 0;
    size_t end = 0;
    bool latest = false;
    const char* data() const { return block ? block.data() : owned.bytes().data(); }
  };
  static constexpr size_t kBlockBytes = 16 << 10;

  std::vector<Chunk> chunks_;
  size_t first_ = 0;  // chunks before it have left
  size_t bytes_ = 0;
};

}  // namespace trireme
