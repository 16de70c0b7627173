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

bool ask_fixed_envelope(const Codec& codec, Envelope& into) noexcept {
  try {
    return codec.has_fixed_envelope() && ask_envelope(codec, 0, into);
  } catch (...) {
    return false;
  }
}

}}  // namespace trireme
