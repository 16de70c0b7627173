// A stream of events as the codec of one connection, behind the head of its response: what the
// client still sends is nobody's.
//
// Step 3. Thread: the holder of the loop for the decoder; any for the rest.
#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <utility>

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
  EventsCodec(bool in_chunks, std::shared_ptr<const std::atomic<bool>> is_closed)
      : is_closed_(std::move(is_closed)), in_chunks_(in_chunks) {}

  std::unique_ptr<ConnectionDecoder> make_decoder() const override {
    return std::make_unique<EventsDecoder>();
  }
  bool has_fixed_envelope() const override { return true; }  // nothing
  ErrorReply error_reply(const FailedRequest&) const override { return {.close = true}; }
  bool clients_return() const override { return true; }
  // A stream that its feeder or a drain ends, ends whole; others are cut, as the client sees.
  std::string last_words(CloseReason reason) const override {
    const bool orderly = reason == CloseReason::kDrained || reason == CloseReason::kIdleTimeout ||
                         is_closed_->load(std::memory_order_relaxed);
    return in_chunks_ && orderly ? "0\r\n\r\n" : "";
  }

 private:
  std::shared_ptr<const std::atomic<bool>> is_closed_;  // owners: as of EventStream
  bool in_chunks_;
};

}}}  // namespace trireme::http
