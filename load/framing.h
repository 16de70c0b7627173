// How messages of echo are cut, so that the load can speak to a server of that codec.
//
// Part of the load engine; pure functions, any thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "trireme/codec.h"
#include "trireme/result.h"

namespace load {

namespace tr = trireme;

struct Framing {
  enum class Kind { kBytes, kLines, kFixed, kLengthPrefix };
  Kind kind = Kind::kBytes;
  uint64_t number = 0;  // of kFixed: bytes of a message; of kLengthPrefix: bytes of the length
};

inline constexpr uint64_t kMessageBytesMax = uint64_t{1} << 30;

// "bytes", "lines", "fixed:N" with N up to kMessageBytesMax, or "length-prefix:WIDTH" with WIDTH 1,
// 2, 4 or 8.
tr::Result<Framing> parse_framing(std::string_view text);
std::string name_of(const Framing& framing);

// What goes around a message of `body_bytes`.
tr::Envelope envelope_of(const Framing& framing, uint64_t body_bytes);
// Nothing, or why no message can be that long.
std::string refusal_of(const Framing& framing, uint64_t body_bytes);

// Messages with their envelopes, one behind the other, as many as fill a period; the period goes
// on for `more` bytes, so that a window that begins anywhere in it is `more` bytes long. Without
// envelopes the period is prime: a message then never begins where another did shortly before.
struct Stream {
  std::string bytes;
  uint64_t period = 0;
  uint64_t message_bytes = 0;  // with its envelope
  uint64_t apart = 0;          // how far into the stream of its neighbour a connection begins
};
Stream make_stream(const Framing& framing, uint64_t body_bytes, uint64_t more);

}  // namespace load
