// What a codec has beside decode() and envelope().
//
// Step 3. Thread: any; values.
#pragma once

#include "trireme/codec.h"

namespace trireme { inline namespace v0 {

struct CodecTraits {
  bool has_decoder = false;    // of each connection
  bool decodes_ahead = false;  // with has_decoder
  bool has_encoder = false;
  bool is_text = false;

  bool is_plain() const { return !has_decoder && !has_encoder; }
  // A codec that throws here throws again where a connection needs what it was asked for.
  static CodecTraits of(const Codec& codec) noexcept;
};

}}  // namespace trireme
