#include "trireme/codec.h"

#include "framing/frame_guard.h"

namespace trireme { inline namespace v0 {

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
