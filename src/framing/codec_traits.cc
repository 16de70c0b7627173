#include "framing/codec_traits.h"

namespace trireme { inline namespace v0 {

CodecTraits CodecTraits::of(const Codec& codec) noexcept {
  CodecTraits traits;
  try {
    traits.has_decoder = codec.make_decoder() != nullptr;
    traits.decodes_ahead = traits.has_decoder && codec.decodes_ahead();
    traits.has_encoder = codec.has_encoder();
    traits.is_text = codec.is_text();
  } catch (...) {
    traits.has_decoder = true;
  }
  return traits;
}

}}  // namespace trireme
