#include "trireme/codec.h"

#include <stdexcept>

#include "framing/frame_guard.h"

namespace trireme { inline namespace v0 {

std::unique_ptr<ConnectionDecoder> Codec::make_decoder() const { return nullptr; }

Frame Codec::decode(DecodeState&, std::string_view, bool, size_t) const {
  throw std::logic_error("the codec has neither decode() nor make_decoder()");
}

Envelope Codec::envelope(size_t) const { return {}; }

bool Codec::envelope_recipe(EnvelopeRecipe& into) const {
  if (!has_fixed_envelope()) return false;
  into = {};
  into.around = envelope(0);
  return true;
}

size_t Codec::decode_requests(DecodeState& state, std::string_view input, bool ended,
                              size_t frame_bytes_max, uint32_t kind,
                              std::span<DecodedRequest> into) const {
  size_t count = 0;
  while (count < into.size() && !input.empty()) {
    const DecodeState before = state;
    Frame frame;
    try {
      frame = decode(state, input, ended, frame_bytes_max);
    } catch (...) {
      state = before;  // those in front of it are answered first: it is thrown again
      break;
    }
    if (!is_sound_request(frame, input, input.size()) || frame.request_kind != kind) {
      const bool nothing_lost = frame.kind == Frame::Kind::kIncomplete && frame.consumed == 0;
      if (!nothing_lost) state = before;
      break;
    }
    into[count++] = {frame.payload, input.data() + frame.consumed, state, frame.request_kind};
    input.remove_prefix(frame.consumed);
  }
  return count;
}

}}  // namespace trireme
