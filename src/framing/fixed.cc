// The codec `fixed`: a request is a number of bytes, whatever they are.
#include <algorithm>
#include <string>

#include "framing/refused_options.h"
#include "framing/tested_codec.h"
#include "trireme/codecs.h"

namespace trireme { inline namespace v0 {
namespace {

constexpr size_t kFixedBytesMax = 1 << 30;

class FixedCodec final : public TestedCodec {
 public:
  explicit FixedCodec(size_t bytes) : bytes_(bytes) {}

  Frame decode(DecodeState&, std::string_view input, bool ended,
               size_t frame_bytes_max) const override {
    if (bytes_ > frame_bytes_max && !input.empty()) [[unlikely]]
      return {.kind = Frame::Kind::kFatal,
              .consumed = 1,
              .payload = "the frame is too long",
              .failure = Failure::kTooLong};
    if (input.size() >= bytes_) {
      return {.kind = Frame::Kind::kRequest, .consumed = bytes_, .payload = {input.data(), bytes_}};
    }
    if (ended) return {.kind = Frame::Kind::kEnd, .consumed = input.size()};
    return {.kind = Frame::Kind::kIncomplete};
  }

  size_t decode_requests(DecodeState&, std::string_view input, bool, size_t frame_bytes_max,
                         uint32_t kind, std::span<DecodedRequest> into) const override {
    if (kind != 0 || bytes_ > frame_bytes_max) return 0;
    const size_t count = std::min(into.size(), input.size() / bytes_);
    const char* begin = input.data();
    for (size_t i = 0; i < count; ++i, begin += bytes_) {
      into[i] = {{begin, bytes_}, begin + bytes_, DecodeState(), 0};
    }
    return count;
  }

  bool has_fixed_envelope() const override { return true; }
  ErrorReply error_reply(const FailedRequest&) const override {
    return {.body = {}, .close = true};
  }
  std::string problem(size_t frame_bytes_max) const override {
    if (bytes_ <= frame_bytes_max) return {};
    return "fixed: its " + std::to_string(bytes_) + " bytes are over frame_bytes_max, which is " +
           std::to_string(frame_bytes_max);
  }

 private:
  const size_t bytes_;
};

}  // namespace

std::shared_ptr<const Codec> fixed(size_t bytes) {
  if (bytes < 1 || bytes > kFixedBytesMax) {
    return refused_options("fixed: a frame must be 1 byte to 1 GiB, and is " +
                           std::to_string(bytes));
  }
  return std::make_shared<FixedCodec>(bytes);
}

}}  // namespace trireme
