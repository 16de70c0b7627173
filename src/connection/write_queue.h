// Bytes of one connection that the socket has not taken yet.
//
// Step 6. Thread: the holder of the loop. One pointer, for most connections are idle: it holds
// memory only while there are such bytes, or a time to try again.
#pragma once

#include <sys/uio.h>

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "reply/mail.h"
#include "runtime/memory/buffers.h"
#include "runtime/system/clock.h"

namespace trireme { inline namespace v0 {

class WriteQueue {
 public:
  bool empty() const { return bytes() == 0; }
  size_t bytes() const { return state_ == nullptr ? 0 : state_->bytes; }

  // Copies `bytes` behind what is there. False when the budget refuses, or the system.
  [[nodiscard]] bool append(Buffers& budget, std::span<const char> bytes);
  // Takes `bytes`, of which the first `skip` have left already. `latest`: may be dropped by
  // drop_latest. False when the system has no memory.
  [[nodiscard]] bool append(ChargedBytes bytes, size_t skip, bool latest);
  // The same of a push: small ones are copied behind each other, for they would cost several times
  // their bytes.
  [[nodiscard]] bool append_push(Buffers& budget, ChargedBytes bytes);
  // Copies `bytes` in front of what is there. False when the budget refuses, or the system.
  [[nodiscard]] bool prepend(Buffers& budget, std::span<const char> bytes);
  // Drops chunks that were appended as `latest` and of which nothing has left.
  void drop_latest();
  void clear();

  // Up to pieces.size() pieces from the front, for one send. Returns how many.
  size_t front(std::span<iovec> pieces) const;
  // The first `bytes` have left.
  void pop(size_t bytes);

  // When the socket took bytes for the last time; noted only while there are some.
  TimePoint last_progress() const { return state_ == nullptr ? kNever : state_->last_progress; }
  void note_progress(TimePoint now) {
    if (state_ != nullptr) state_->last_progress = now;
  }
  // Over its high watermark, until it has fallen to the low one.
  bool is_full() const { return state_ != nullptr && state_->full; }
  void note_watermarks(size_t low, size_t high) {
    if (state_ != nullptr && (bytes() > high || bytes() <= low)) state_->full = bytes() > high;
  }

  // When to try again although no event tells to; kNever: an event will.
  TimePoint retry_at() const { return state_ == nullptr ? kNever : state_->retry_at; }
  void set_retry_at(TimePoint time);

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
