// Bytes of one connection that the socket has not taken yet; and, in front of transport layers,
// that these have not.
//
// Step 6. Thread: the holder of the loop. One pointer, for most connections are idle: it holds
// memory only while there are such bytes, or a time to try again.
#pragma once

#include <sys/uio.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "reply/mail.h"
#include "runtime/memory/buffers.h"
#include "runtime/system/clock.h"
#include "trireme/file.h"

namespace trireme { inline namespace v0 {

class WriteQueue {
 public:
  bool empty() const { return bytes() == 0; }
  size_t bytes() const { return state_ == nullptr ? 0 : state_->bytes; }

  // Copies `bytes` behind what is there. False when the budget refuses, or the system.
  [[nodiscard]] bool append(Buffers& budget, std::span<const char> bytes);
  // What drop_latest does with a chunk.
  enum class Drop : uint8_t {
    kNever,
    kAsLatest,      // drops it, if nothing of it has left
    kWithPrevious,  // drops it if it drops the one in front of it
  };
  // Takes `bytes`, of which the first `skip` have left already. False when the system has no
  // memory.
  [[nodiscard]] bool append(ChargedBytes bytes, size_t skip, Drop drop);
  // A part of a file. False when the system has no memory.
  [[nodiscard]] bool append(const FileRange& range);
  // The same of a push: small ones are copied behind each other, for they would cost several times
  // their bytes.
  [[nodiscard]] bool append_push(Buffers& budget, ChargedBytes bytes);
  // Copies `bytes` in front of what is there. False when the budget refuses, or the system.
  [[nodiscard]] bool prepend(Buffers& budget, std::span<const char> bytes);
  // Drops pushes that were appended as `kAsLatest` and of which nothing has left.
  void drop_latest();
  void clear();

  // Up to pieces.size() pieces from the front, for one send, none of a file. Returns how many.
  size_t front(std::span<iovec> pieces) const;
  // What is in front is a part of a file; that part, and its first bytes as somebody has read them.
  bool has_file_in_front() const {
    return state_ != nullptr && state_->first < state_->chunks.size() &&
           state_->chunks[state_->first].file;
  }
  FileRange file_in_front() const;
  // False when the system has no memory.
  [[nodiscard]] bool replace_in_front(Block block, size_t bytes);
  // The first `bytes` have left.
  void pop(size_t bytes);

  // When the socket took bytes for the last time; noted only while there are some.
  TimePoint last_progress() const { return state_ == nullptr ? kNever : state_->last_progress; }
  void note_progress(TimePoint now) {
    if (state_ != nullptr) state_->last_progress = now;
  }
  // Over its high watermark, until it has fallen to the low one. `unsent`: what is here, and what
  // waits behind it elsewhere.
  bool is_full() const { return state_ != nullptr && state_->full; }
  void note_watermarks(size_t unsent, size_t low, size_t high) {
    if (unsent > high) state().full = true;
    if (state_ == nullptr || unsent > low) return;
    state_->full = false;
    if (state_->bytes == 0 && state_->retry_at == kNever) clear();
  }

  // When to try again although no event tells to; kNever: an event will.
  TimePoint retry_at() const { return state_ == nullptr ? kNever : state_->retry_at; }
  void set_retry_at(TimePoint time);

 private:
  // A block that is filled up to `end`, bytes that somebody else made, or a part of a file.
  struct Chunk {
    Block block;
    ChargedBytes owned;
    File file;
    size_t begin = 0;
    size_t end = 0;
    Drop drop = Drop::kNever;
    const char* data() const { return block ? block.data() : owned.text().data(); }
  };
  static constexpr size_t kBlockBytes = 16 << 10;
  static constexpr size_t kSmallPush = 512;
  static constexpr size_t kPushBlockBytes = 4 << 10;

  struct State {
    std::vector<Chunk> chunks;
    size_t first = 0;  // chunks before it have left
    size_t bytes = 0;
    bool full = false;
    TimePoint last_progress = kNever;
    TimePoint retry_at = kNever;
  };
  State& state();

  std::unique_ptr<State> state_;
};

}}  // namespace trireme
