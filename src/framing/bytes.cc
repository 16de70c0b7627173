// The codec `bytes`: a request is whatever has arrived.
#include <algorithm>

#include "framing/tested_codec.h"
#include "trireme/codec.h"

namespace trireme { inline namespace v0 {
namespace {

class BytesCodec final : public TestedCodec {
 public:
  Frame decode(DecodeState&, std::string_view input, bool ended,
               size_t frame_bytes_max) const override {
    if (input.empty()) return {.kind = ended ? Frame::Kind::kEnd : Frame::Kind::kIncomplete};
    const size_t bytes = std::min(input.size(), frame_bytes_max);
    return {.kind = Frame::Kind::kRequest, .consumed = bytes, .payload = input.substr(0, bytes)};
  }
  bool has_fixed_envelope() const override { return true; }
  ErrorReply error_reply(const FailedRequest&) const override {
    return {.body = {}, .close = true};
  }
};

}  // namespace

std::shared_ptr<const Codec> bytes() {
  static const auto& codec = *new std::shared_ptr<const Codec>(std::make_shared<BytesCodec>());
  return codec;  // one immutable object for all: it has no state
}

}}  // namespace trireme
