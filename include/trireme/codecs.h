// Codecs for a protocol of your own, by options: docs/codecs.md. Beside bytes() and lines().
//
// Thread: any. A codec is one immutable object; `start()` refuses options that cannot work, with a
// sentence. No codec allocates for a frame: a length is a number until its bytes have arrived.
//
// What they have in common: a request longer than `frame_bytes_max` of its listener is refused. An
// error is `ERR sentence` and a refusal `BUSY`, each in a frame of its own, if not said otherwise.
// A part of a frame at the end of the stream is dropped and counted.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "trireme/codec.h"

namespace trireme { inline namespace v0 {

struct DelimiterOptions {
  // More sequences that end a request, such as "\n" beside "\r\n". The one that is complete first
  // counts, and of several the longest.
  std::vector<std::string> also{};
  bool include = false;     // requests keep their delimiter, and answers must bring theirs
  bool skip_empty = false;  // requests of no bytes are keep-alives: no handler sees them
};

// Any thread. A request ends with `delimiter`: 1 to 8 bytes, any. An answer gets `delimiter`, and
// must not contain it. A request over the limit gets an error and is skipped to its end.
std::shared_ptr<const Codec> delimiter(std::string delimiter, DelimiterOptions options = {});

// Any thread. A request is `bytes` bytes, 1 to 1 GiB and not over the limit. An answer goes out as
// it is, and should have as many. There is no error reply: an error closes the connection.
std::shared_ptr<const Codec> fixed(size_t bytes);

enum class ByteOrder : uint8_t { kBig, kLittle };

// A frame is a head, in which a length stands, and what the length counts.
struct LengthPrefixOptions {
  uint8_t width = 4;                  // of the length, in bytes: 1, 2, 3, 4 or 8
  ByteOrder order = ByteOrder::kBig;  // which of its bytes comes first: the most significant
  uint8_t offset = 0;                 // bytes in front of the length
  int32_t adjustment = 0;             // added to the length that was read
  bool includes_head = false;         // the length counts the bytes up to its own end, too
  std::optional<uint8_t> strip{};     // bytes that requests lack at the front; empty: all up to
                                      // the end of the length
  bool skip_empty = false;            // requests of no bytes are keep-alives
};

// Any thread. The frame has offset + width + length + adjustment bytes, or length + adjustment if
// the length includes its head. A request is the frame without its first `strip` bytes. An answer
// gets as many in front of it: the length, if it lies in them, and zeros. A frame that is too long
// or too short gets an error, and ends the connection: there is no way to find the next one. An
// answer too long for its length ends the connection as a mistake of the codec.
std::shared_ptr<const Codec> length_prefix(LengthPrefixOptions options = {});

// A length as protobuf writes it: 7 bits a byte, the least significant first (LEB128).
struct VarintOptions {
  uint8_t bytes_max = 5;         // of the length: 1 to 10. 5 are 32 bits, 10 are 64
  bool refuse_overlong = false;  // a length that could be shorter ends the connection
  bool skip_empty = false;       // requests of no bytes are keep-alives
};

// Any thread. A request comes behind its length, an answer gets its own. A length that is too great
// or has no end gets an error, and ends the connection.
std::shared_ptr<const Codec> varint(VarintOptions options = {});

}}  // namespace trireme
