// A decoder with a memory of its own (trireme/decoder.h), believed only after a look at what it has
// found: the twin of CheckedDecoder.
//
// Step 3. Thread: the holder of the loop. It knows no connection: bytes in, frames out. Bounded:
// what the decoder keeps is charged to the budget, and is no more than a frame may have;
// kEmptyFramesMax frames that consume nothing.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "runtime/memory/buffers.h"
#include "trireme/codec.h"

namespace trireme { inline namespace v0 {

class GuardedDecoder {
 public:
  enum class Result : uint8_t {
    kFrame,
    kMistake,   // of the decoder: nothing of what it said counts, nothing was consumed
    kNoMemory,  // the system has none, or the budget refuses
  };

  // `budget` outlives it.
  GuardedDecoder(std::unique_ptr<ConnectionDecoder> decoder, Buffers& budget)
      : decoder_(std::move(decoder)), budget_(budget) {}
  ~GuardedDecoder() { budget_.discharge(charged_); }
  GuardedDecoder(const GuardedDecoder&) = delete;
  GuardedDecoder& operator=(const GuardedDecoder&) = delete;

  // What is at the front of `input`, whose bytes it may change. `mistake`: what it has done wrong.
  // At the end of the stream it never waits: kIncomplete has become kEnd.
  Result decode(size_t frame_bytes_max, std::string_view input, bool ended, DecodedFrame& out,
                std::string& mistake);
  // It is in the midst of a frame, although no byte of it may wait.
  bool is_in_frame() const { return is_in_frame_; }

 private:
  static constexpr uint8_t kEmptyFramesMax = 16;

  const char* judge(std::string_view input, bool ended, DecodedFrame& frame);
  [[nodiscard]] bool charge(size_t held);

  std::unique_ptr<ConnectionDecoder> decoder_;
  Buffers& budget_;
  size_t charged_ = 0;
  bool is_in_frame_ = false;
  uint8_t empty_frames_ = 0;  // the latest ones: they have consumed nothing
};

}}  // namespace trireme
