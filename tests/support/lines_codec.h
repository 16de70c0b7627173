// Lines, for a codec of a test that differs in one function.
#pragma once

#include <memory>
#include <string_view>

#include "trireme/codec.h"

namespace support {

class LinesCodec : public trireme::Codec {
 public:
  trireme::Frame decode(trireme::DecodeState& state, std::string_view input, bool ended,
                        size_t frame_bytes_max) const override {
    return lines_->decode(state, input, ended, frame_bytes_max);
  }
  trireme::Envelope envelope(size_t body_bytes) const override {
    return lines_->envelope(body_bytes);
  }
  trireme::ErrorReply error_reply(const trireme::FailedRequest& failed) const override {
    return lines_->error_reply(failed);
  }

 private:
  const std::shared_ptr<const trireme::Codec> lines_ = trireme::lines();
};

}  // namespace support
