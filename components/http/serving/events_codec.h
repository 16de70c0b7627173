// A stream of events as the codec of one connection, behind the head of its response: what the
// client still sends is nobody's.
//
// Step 3. Thread: the holder of the loop for the decoder; any for the rest.
#pragma once

#include <memory>
#include <string>

#include "http/serving/upgraded.h"
#include "trireme/codec.h"

namespace trireme { inline namespace v0 { namespace http {

class EventsDecoder final : public ConnectionDecoder {
 public:
  void decode(std::span<char> input, bool ended, size_t /*frame_bytes_max*/,
              DecodedFrame& out) override {
    out.consumed = input.size();
    out.kind = ended           ? Frame::Kind::kEnd
               : input.empty() ? Frame::Kind::kIncomplete
                               : Frame::Kind::kSkip;
  }
};

class EventsCodec final : public Codec {
 public:
  explicit EventsCodec(bool in_chunks) : in_chunks_(in_chunks) {}

  std::unique_ptr<ConnectionDecoder> make_decoder() const override {
    return std::make_unique<EventsDecoder>();
  }
  bool has_fixed_envelope() const override { return true; }  // nothing
  ErrorReply error_reply(const FailedRequest&) const override { return {.close = true}; }
  // A stream that we end ends whole.
  std::string last_words(CloseReason reason) const override {
    const bool orderly = reason == CloseReason::kDrained || reason == CloseReason::kIdleTimeout ||
                         reason == CloseReason::kClosedByHandler;
    return in_chunks_ && orderly ? "0\r\n\r\n" : "";
  }

 private:
  bool in_chunks_;
};

}}}  // namespace trireme::http
