#include "reply/envelope_guard.h"

namespace trireme { inline namespace v0 {

bool ask_envelope(const Codec& codec, size_t body_bytes, Envelope& into) noexcept {
  try {
    into = codec.envelope(body_bytes);
  } catch (...) {
    return false;
  }
  return is_within_bounds(into);
}

}}  // namespace trireme
