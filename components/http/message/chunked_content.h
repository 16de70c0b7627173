// The content of a request in chunks (RFC 9112, 7.1), made whole in place: data moves towards the
// front of the buffer that it came in, trailer lines follow it.
//
// Strict: a line ends in CR LF, an extension has a name, a size has 16 digits at most, nothing
// stands between data and its line end. Trailer fields are kept apart from the header section, so
// none of them can change how the message is read.
//
// Step 3, framing. Thread: any, pure. Bounded: the options.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "http/message/head.h"

namespace trireme { inline namespace v0 { namespace http {

struct ChunkLimits {
  uint64_t content_bytes_max = 1 << 20;     // over it 413
  uint32_t extension_bytes_max = 16 << 10;  // of all chunks together; over it 400
  uint32_t trailer_bytes_max = 8 << 10;     // over it 431
};

class ChunkedContent {
 public:
  enum class Outcome : uint8_t { kMore, kDone, kRefused };

  // Reads on at buffer[read] and writes at buffer[written], with written <= read; both move on.
  // kMore: all of the buffer is read. kDone: buffer[read] begins the next message.
  Outcome decode(std::span<char> buffer, size_t& read, size_t& written, const ChunkLimits& limits);

  // Of what decode() has written: the data so far, and behind it the trailer lines.
  uint64_t content_bytes() const { return content_bytes_; }
  uint32_t trailer_bytes() const { return trailer_bytes_; }
  const Refusal& refusal() const { return refusal_; }

 private:
  enum class State : uint8_t {
    kSizeBegin,
    kSize,
    kBehindSize,
    kNameBegin,
    kName,
    kBehindName,
    kValueBegin,
    kValue,
    kQuoted,
    kEscaped,
    kBehindQuoted,
    kBehindValue,
    kLineFeed,
    kData,
    kDataReturn,
    kDataFeed,
    kLineBegin,
    kFieldName,
    kFieldValue,
    kFieldFeed,
    kFinalFeed,
    kDone,
  };

  bool step(char byte, const ChunkLimits& limits);
  bool size_step(char byte, const ChunkLimits& limits);
  bool extension_step(char byte, const ChunkLimits& limits);
  bool trailer_step(char byte, const ChunkLimits& limits);
  bool next(State state) {
    state_ = state;
    return true;
  }
  bool refuse(uint16_t status, std::string_view reason);

  uint64_t content_bytes_ = 0;
  uint64_t left_ = 0;  // of the chunk
  uint32_t extension_bytes_ = 0;
  uint32_t trailer_bytes_ = 0;
  uint8_t digits_ = 0;
  State state_ = State::kSizeBegin;
  Refusal refusal_;
};

}}}  // namespace trireme::http
