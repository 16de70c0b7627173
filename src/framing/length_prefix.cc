// The codec `length_prefix`: LengthField, as a codec.
#include <array>
#include <stdexcept>
#include <string>

#include "framing/length_field.h"
#include "framing/refused_options.h"
#include "framing/tested_codec.h"
#include "trireme/codecs.h"

namespace trireme { inline namespace v0 {
namespace {

static_assert(sizeof(Envelope::head) >= LengthField::kHeadBytes);

class LengthPrefixCodec final : public TestedCodec {
 public:
  LengthPrefixCodec(const LengthField::Layout& layout, bool skip_empty)
      : field_(layout), skip_empty_(skip_empty) {}

  Frame decode(DecodeState&, std::string_view input, bool ended,
               size_t frame_bytes_max) const override {
    const LengthField::Cut cut = field_.cut(input, frame_bytes_max);
    if (cut.found == LengthField::Found::kFrame) {
      const size_t strip = field_.strip();
      if (skip_empty_ && cut.frame_bytes == strip) [[unlikely]]
        return {.kind = Frame::Kind::kSkip, .consumed = cut.frame_bytes};
      return {.kind = Frame::Kind::kRequest,
              .consumed = cut.frame_bytes,
              .payload = {input.data() + strip, cut.frame_bytes - strip}};
    }
    if (cut.found == LengthField::Found::kIncomplete) {
      if (ended) return {.kind = Frame::Kind::kEnd, .consumed = input.size()};
      return {.kind = Frame::Kind::kIncomplete};
    }
    const bool is_long = cut.found == LengthField::Found::kTooLong;
    return {.kind = Frame::Kind::kFatal,
            .consumed = field_.head_bytes(),
            .payload = is_long ? "the frame is too long" : "the length is too small",
            .failure = is_long ? Failure::kTooLong : Failure::kRefused};
  }

  size_t decode_requests(DecodeState&, std::string_view input, bool, size_t frame_bytes_max,
                         uint32_t kind, std::span<DecodedRequest> into) const override {
    if (kind != 0) return 0;
    const LengthField::Cutter cutter(field_, frame_bytes_max);
    const size_t strip = field_.strip();
    const size_t skipped = skip_empty_ ? strip : 0;
    const char* begin = input.data();
    size_t left = input.size();
    DecodedRequest* next = into.data();
    DecodedRequest* const end = next + into.size();
    while (next != end) {
      const size_t bytes = cutter.whole_frame(begin, left);
      if (bytes == 0 || bytes == skipped) break;
      *next++ = {{begin + strip, bytes - strip}, begin + bytes, DecodeState(), 0};
      begin += bytes;
      left -= bytes;
    }
    return static_cast<size_t>(next - into.data());
  }

  Envelope envelope(size_t body_bytes) const override {
    Envelope envelope;
    envelope.head_bytes = static_cast<uint8_t>(field_.strip());
    if (field_.is_stripped() && !field_.put_head(body_bytes, envelope.head.data())) {
      throw std::length_error("no length stands for an answer of " + std::to_string(body_bytes) +
                              " bytes");
    }
    return envelope;
  }
  // Without a length in it: what was stripped are zeros.
  bool has_fixed_envelope() const override { return !field_.is_stripped(); }
  bool envelope_recipe(EnvelopeRecipe& into) const override {
    into = {};
    into.around.head_bytes = static_cast<uint8_t>(field_.strip());
    if (field_.is_stripped()) field_.describe(into);
    return true;
  }
  ErrorReply error_reply(const FailedRequest& failed) const override {
    if (failed.failure == Failure::kBusy) return text("BUSY");
    return text("ERR " + std::string(failed.sentence));
  }

 private:
  // As much of a text as there is a length for.
  ErrorReply text(std::string body) const {
    std::array<char, LengthField::kHeadBytes> head{};
    if (!field_.is_stripped()) return {.body = {}, .close = true};
    if (body.size() > field_.payload_bytes_max()) body.resize(field_.payload_bytes_max());
    if (body.empty() || !field_.put_head(body.size(), head.data()))
      return {.body = {}, .close = true};
    return {.body = std::move(body)};
  }

  const LengthField field_;
  const bool skip_empty_;
};

std::string problem_of(const LengthPrefixOptions& options) {
  const unsigned width = options.width, head = options.offset + width;
  if (width != 1 && width != 2 && width != 3 && width != 4 && width != 8)
    return "the width of a length must be 1, 2, 3, 4 or 8, and is " + std::to_string(width);
  const unsigned strip = options.strip.value_or(static_cast<uint8_t>(head > 255 ? 255 : head));
  if (strip > sizeof(Envelope::head)) {
    return "strip must be at most 16, for answers get as many bytes, and is " +
           std::to_string(strip);
  }
  if (strip > options.offset && strip < head)
    return "strip cuts the length in two: the length is in the bytes " +
           std::to_string(options.offset) + " to " + std::to_string(head - 1) + ", and strip is " +
           std::to_string(strip);
  return {};
}

}  // namespace

std::shared_ptr<const Codec> length_prefix(LengthPrefixOptions options) {
  const std::string problem = problem_of(options);
  if (!problem.empty()) return refused_options("length_prefix: " + problem);
  const auto head = static_cast<uint8_t>(options.offset + options.width);
  return std::make_shared<LengthPrefixCodec>(
      LengthField::Layout{.width = options.width,
                          .is_little = options.order == ByteOrder::kLittle,
                          .offset = options.offset,
                          .adjustment = options.adjustment,
                          .includes_head = options.includes_head,
                          .strip = options.strip.value_or(head)},
      options.skip_empty);
}

}}  // namespace trireme
