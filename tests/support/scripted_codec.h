// Lines, by a codec whose functions a test replaces one by one: to make the mistakes of a user's.
#pragma once

#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "trireme/codec.h"

namespace support {

struct CodecScript {
  using Frame = trireme::Frame;
  using State = trireme::DecodeState;
  std::function<Frame(State&, std::string_view, bool, size_t)> decode{};
  // The input, and where to put what is found.
  std::function<size_t(std::string_view, std::span<trireme::DecodedRequest>)> decode_requests{};
  std::function<trireme::Envelope(size_t)> envelope{};
  bool has_fixed_envelope = false;
  std::function<trireme::ErrorReply(const trireme::FailedRequest&)> error_reply{};
  std::function<std::string(trireme::CloseReason)> last_words{};
};

class ScriptedCodec final : public trireme::Codec {
 public:
  explicit ScriptedCodec(CodecScript script) : script_(std::move(script)) {}

  trireme::Frame decode(trireme::DecodeState& state, std::string_view input, bool ended,
                        size_t frame_bytes_max) const override {
    return script_.decode ? script_.decode(state, input, ended, frame_bytes_max)
                          : lines_->decode(state, input, ended, frame_bytes_max);
  }
  size_t decode_requests(trireme::DecodeState& state, std::string_view input, bool ended,
                         size_t frame_bytes_max, uint32_t kind,
                         std::span<trireme::DecodedRequest> into) const override {
    return script_.decode_requests
               ? script_.decode_requests(input, into)
               : Codec::decode_requests(state, input, ended, frame_bytes_max, kind, into);
  }
  trireme::Envelope envelope(size_t body_bytes) const override {
    return script_.envelope ? script_.envelope(body_bytes) : lines_->envelope(body_bytes);
  }
  bool has_fixed_envelope() const override { return script_.has_fixed_envelope; }
  trireme::ErrorReply error_reply(const trireme::FailedRequest& failed) const override {
    return script_.error_reply ? script_.error_reply(failed) : lines_->error_reply(failed);
  }
  std::string last_words(trireme::CloseReason reason) const override {
    return script_.last_words ? script_.last_words(reason) : "";
  }

 private:
  const CodecScript script_;
  const std::shared_ptr<const trireme::Codec> lines_ = trireme::lines();
};

inline std::shared_ptr<const trireme::Codec> scripted(CodecScript script) {
  return std::make_shared<ScriptedCodec>(std::move(script));
}

}  // namespace support
