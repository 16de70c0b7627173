// Step 3, framing: what a codec has found is believed only after a look at it.
//
// A codec is the user's code that meets the bytes of hostile clients. Its mistakes cost the
// connection at hand, never the process or a byte that is not the client's. Thread: the holder of
// the loop.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "trireme/codec.h"

namespace trireme { inline namespace v0 {

// What may be around a request in its frame, and what one receive brings: a codec that has not
// found a frame in so many bytes more than frame_bytes_max will never find one.
inline constexpr size_t kHeadBytesMax = 64 << 10;

// Of the bytes of a frame. Saturates.
inline size_t frame_bytes_limit(size_t frame_bytes_max) {
  return frame_bytes_max < SIZE_MAX - kHeadBytesMax ? frame_bytes_max + kHeadBytesMax : SIZE_MAX;
}

// True if `payload` lies in the `frame_bytes` bytes from `begin` on.
inline bool lies_in(std::string_view payload, const char* begin, size_t frame_bytes) {
  // Of pointers that have nothing to do with each other only the numbers may be subtracted.
  const size_t at =
      reinterpret_cast<uintptr_t>(payload.data()) - reinterpret_cast<uintptr_t>(begin);
  return at <= frame_bytes && payload.size() <= frame_bytes - at;
}

// True if `frame` is a request that lies in the bytes that it consumes, of which there are 1 to
// `consumed_max`. So it is most times; anything else is for mistake_in.
inline bool is_sound_request(const Frame& frame, std::string_view input, size_t consumed_max) {
  return frame.kind == Frame::Kind::kRequest && frame.consumed - 1 < consumed_max &&
         lies_in(frame.payload, input.data(), frame.consumed);
}

// True for the codecs of this library: tests look at what they find, so that the loop need not.
bool is_tested(const Codec& codec);

// What is wrong with a frame that a codec has found at the front of `input`; null: nothing.
const char* mistake_in(const Frame& frame, std::string_view input, bool ended,
                       size_t frame_bytes_max);
// The same of a decoder with a memory of its own, which keeps `bytes_held` now.
const char* mistake_in(const DecodedFrame& frame, std::string_view input, bool ended,
                       size_t frame_bytes_max, size_t bytes_held);

// True if the requests follow each other at the front of `input`, and each lies in the bytes of its
// frame, of which there are 1 to `frame_bytes_limit`.
inline bool follow_each_other(std::span<const DecodedRequest> found, std::string_view input,
                              size_t frame_bytes_limit) {
  const char* begin = input.data();
  size_t left = input.size();
  for (const DecodedRequest& one : found) {
    const size_t bytes = reinterpret_cast<uintptr_t>(one.end) - reinterpret_cast<uintptr_t>(begin);
    if (bytes - 1 >= std::min(frame_bytes_limit, left)) return false;
    // An empty payload may be of anywhere: nobody looks at it.
    if (!one.payload.empty() && !lies_in(one.payload, begin, bytes)) return false;
    begin = one.end;
    left -= bytes;
  }
  return true;
}

}}  // namespace trireme
