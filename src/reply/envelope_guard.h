// Step 5, reply: a codec's envelope is used only if the codec has not thrown and what it says fits
// into it: bytes behind it are not the client's.
//
// Thread: any. Who gets no envelope leaves the answer to the holder of the loop, which asks again
// and ends the connection (Replies::ask_envelope).
#pragma once

#include <cstddef>

#include "trireme/codec.h"

namespace trireme { inline namespace v0 {

inline bool is_within_bounds(const Envelope& envelope) {
  return envelope.head_bytes <= envelope.head.size() && envelope.tail_bytes <= envelope.tail.size();
}

// What goes around an answer of `body_bytes`. False: the codec has made a mistake.
[[nodiscard]] bool ask_envelope(const Codec& codec, size_t body_bytes, Envelope& into) noexcept;

}}  // namespace trireme
