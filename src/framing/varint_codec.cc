// The codec `varint`: a request behind its length, which is a varint.
#include <stdexcept>
#include <string>

#include "framing/refused_options.h"
#include "framing/tested_codec.h"
#include "framing/varint.h"
#include "trireme/codecs.h"

namespace trireme { inline namespace v0 {
namespace {

class VarintCodec final : public TestedCodec {
 public:
  explicit VarintCodec(VarintOptions options) : options_(options) {}

  Frame decode(DecodeState&, std::string_view input, bool ended,
               size_t frame_bytes_max) const override {
    const Varint length = read_varint(input, options_.bytes_max);
    if (length.found == Varint::Found::kMalformed)
      return fatal("the length has no end", 1, Failure::kRefused);
    if (length.found == Varint::Found::kNumber) {
      if (length.is_overlong && options_.refuse_overlong)
        return fatal("the length is longer than need be", length.bytes, Failure::kRefused);
      if (length.number > frame_bytes_max)
        return fatal("the frame is too long", length.bytes, Failure::kTooLong);
      if (length.number == 0 && options_.skip_empty)
        return {.kind = Frame::Kind::kSkip, .consumed = length.bytes};
      if (length.number <= input.size() - length.bytes) {
        const auto bytes = static_cast<size_t>(length.number);
        return {.kind = Frame::Kind::kRequest,
                .consumed = length.bytes + bytes,
                .payload = {input.data() + length.bytes, bytes}};
      }
    }
    if (ended) return {.kind = Frame::Kind::kEnd, .consumed = input.size()};
    return {.kind = Frame::Kind::kIncomplete};
  }

  size_t decode_requests(DecodeState&, std::string_view input, bool, size_t frame_bytes_max,
                         uint32_t kind, std::span<DecodedRequest> into) const override {
    if (kind != 0) return 0;
    size_t count = 0;
    while (count < into.size()) {
      DecodeState state;
      const Frame frame = VarintCodec::decode(state, input, false, frame_bytes_max);
      if (frame.kind != Frame::Kind::kRequest) break;
      input.remove_prefix(frame.consumed);
      into[count++] = {frame.payload, input.data(), DecodeState(), 0};
    }
    return count;
  }

  Envelope envelope(size_t body_bytes) const override {
    if (body_bytes > varint_max(options_.bytes_max)) {
      throw std::length_error("no length stands for an answer of " + std::to_string(body_bytes) +
                              " bytes");
    }
    Envelope envelope;
    envelope.head_bytes = write_varint(body_bytes, envelope.head.data());
    return envelope;
  }
  ErrorReply error_reply(const FailedRequest& failed) const override {
    if (failed.failure == Failure::kBusy) return {.body = "BUSY"};
    std::string body = "ERR " + std::string(failed.sentence);
    const uint64_t most = varint_max(options_.bytes_max);
    if (body.size() > most) body.resize(most);
    return {.body = std::move(body)};
  }

 private:
  static Frame fatal(std::string_view sentence, size_t consumed, Failure failure) {
    return {
        .kind = Frame::Kind::kFatal, .consumed = consumed, .payload = sentence, .failure = failure};
  }

  const VarintOptions options_;
};

}  // namespace

std::shared_ptr<const Codec> varint(VarintOptions options) {
  if (options.bytes_max < 1 || options.bytes_max > 10) {
    return refused_options("varint: bytes_max must be 1 to 10, and is " +
                           std::to_string(options.bytes_max));
  }
  return std::make_shared<VarintCodec>(options);
}

}}  // namespace trireme
