// What a connection has of a codec with a decoder or an encoder of its own: the decoder, and frames
// that it has found while a handler runs.
//
// Step 3. Thread: the holder of the loop. Bounded: kAheadMax frames wait, and bytes of them up to
// read_ahead_bytes_max and one frame; they are charged to the budget.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "framing/codec_traits.h"
#include "framing/guarded_decoder.h"
#include "runtime/memory/buffers.h"

namespace trireme { inline namespace v0 {

struct CodecState {
  static constexpr size_t kAheadMax = 16;

  // A frame, and where its consumed bytes lie: in the input, or in its own copy of them.
  struct Found {
    DecodedFrame frame;
    const char* begin = nullptr;
    bool in_read_buffer = false;
    std::string copy{};  // if it waits; then begin is null, and the payload is at an offset of it
    size_t payload_at = 0;
    size_t charged = 0;
    Charge charge{};
  };

  explicit CodecState(const CodecTraits& of_codec) : traits(of_codec) {}

  bool is_in_frame() const { return decoder != nullptr && decoder->is_in_frame(); }
  // With frames that wait. The oldest one.
  Found take_ahead() {
    Found found = std::move(ahead.front());
    ahead.erase(ahead.begin());
    ahead_bytes -= found.charged;
    return found;
  }
  // Nobody will handle them.
  void drop_ahead() {
    ahead.clear();
    ahead_bytes = 0;
  }
  // Nothing of what was decoded until now goes on: a new decoder begins with the next byte.
  void begin_anew() {
    drop_ahead();
    decoder.reset();
    has_ended = false;
  }

  const CodecTraits traits;
  std::unique_ptr<GuardedDecoder> decoder;  // made with the first bytes
  std::vector<Found> ahead;                 // oldest first
  size_t ahead_bytes = 0;
  bool has_ended = false;  // the decoder has told the end
};

}}  // namespace trireme
