// HTTP/1.1 as a codec: requests through a decoder of the connection. Responses come whole from the
// service, which knows their requests; so nothing goes around an answer, and the codec frames only
// errors of the server.
//
// Step 3 and 5. Thread: the holder of the loop for the decoder; any for the rest.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "http/message/message_reader.h"
#include "http/serving/core.h"
#include "trireme/codec.h"

namespace trireme { inline namespace v0 { namespace http {

class HttpDecoder final : public ConnectionDecoder, private HeadJudge {
 public:
  explicit HttpDecoder(const ServingCore& core) : core_(core) {}

  void decode(std::span<char> input, bool ended, size_t frame_bytes_max,
              DecodedFrame& out) override;
  size_t bytes_held() const override { return reader_.bytes_held(); }
  bool is_in_frame() const override { return reader_.in_message(); }

 private:
  Refusal judge(std::string_view head, const MessageFacts& facts,
                uint64_t& content_bytes_max) override;
  void refuse(const MessageReader::Found& found, DecodedFrame& out) const;

  const ServingCore& core_;  // the codec's, which outlives its connections
  MessageReader reader_;
  uint32_t kind_ = kNoRoute;    // of the head that was judged last
  bool names_nothing_ = false;  // no route has its path
};

class HttpCodec final : public Codec {
 public:
  explicit HttpCodec(std::shared_ptr<const ServingCore> core) : core_(std::move(core)) {}

  std::unique_ptr<ConnectionDecoder> make_decoder() const override {
    return std::make_unique<HttpDecoder>(*core_);
  }
  bool has_fixed_envelope() const override { return true; }  // nothing
  std::string problem(size_t frame_bytes_max) const override;
  bool is_text() const override { return true; }
  ErrorReply error_reply(const FailedRequest& failed) const override;
  std::string last_words(CloseReason reason) const override;

 private:
  std::shared_ptr<const ServingCore> core_;  // owners: codec, service, open replies
};

}}}  // namespace trireme::http
