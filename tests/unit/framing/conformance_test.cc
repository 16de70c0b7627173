// Goal: the codecs of this library pass the conformance test, and codecs with one mistake each do
// not. Method: streams of each codec; mutants made of `lines`.
#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <stdexcept>
#include <utility>

#include "support/scripted_codec.h"
#include "support/talk_codec.h"
#include "trireme/codecs.h"
#include "trireme/testing/codec_conformance.h"

namespace trireme { inline namespace v0 { namespace {

using support::CodecScript;
using support::scripted;
using testing::codec_conformance;
using testing::CodecConformance;
using Kind = Frame::Kind;

std::string joined(const std::vector<std::string>& sentences) {
  std::string all;
  for (const std::string& sentence : sentences) all += sentence + "\n";
  return all;
}

std::string wrong(const std::shared_ptr<const Codec>& codec, std::vector<std::string> streams) {
  return joined(codec_conformance(*codec, {.streams = std::move(streams), .garbage = 30}));
}

std::string bytes_of(std::initializer_list<int> values) {
  std::string bytes;
  for (const int value : values) bytes += static_cast<char>(value);
  return bytes;
}

TEST(CodecConformance, LinesAndBytes) {
  EXPECT_EQ(wrong(lines(), {"a\nbc\r\n\nlonger line\nrest", "\r\n\n\rx\n", ""}), "");
  const CodecConformance cut_anywhere{.streams = {"some bytes"}, .requests_are_whole = false};
  EXPECT_EQ(joined(codec_conformance(*bytes(), cut_anywhere)), "");
}

TEST(CodecConformance, Delimiter) {
  const std::vector<std::string> streams{"a\r\nbc\n\n\nlonger\r\r\nrest\r", "\n\n\n", "x\n\ny\n\n"};
  EXPECT_EQ(wrong(delimiter("\n"), streams), "");
  EXPECT_EQ(wrong(delimiter("\n\n"), streams), "");
  EXPECT_EQ(wrong(delimiter("\r\n", {.also = {"\n"}}), streams), "");
  EXPECT_EQ(wrong(delimiter("\n", {.include = true}), streams), "");
  EXPECT_EQ(
      wrong(delimiter("\n", {.also = {"\r\n"}, .include = true, .skip_empty = true}), streams), "");
  EXPECT_EQ(wrong(delimiter(std::string(1, '\0')), {std::string("a\0bc\0\0d", 7)}), "");
}

TEST(CodecConformance, Fixed) { EXPECT_EQ(wrong(fixed(3), {"abcdefgh", "abc", ""}), ""); }

TEST(CodecConformance, LengthPrefix) {
  EXPECT_EQ(wrong(length_prefix(), {bytes_of({0, 0, 0, 2, 'a', 'b', 0, 0, 0, 0, 0, 0, 0, 1, 'c'}),
                                    bytes_of({255, 255, 255, 255}), bytes_of({0, 0, 0, 9, 'a'})}),
            "");
  for (const int width : {1, 2, 3, 4, 8}) {
    for (const ByteOrder order : {ByteOrder::kBig, ByteOrder::kLittle}) {
      for (const bool includes : {false, true}) {
        std::string stream;
        for (const int body : {2, 0, 5}) {
          const uint64_t length = static_cast<uint64_t>(body + (includes ? width : 0));
          for (int i = 0; i < width; ++i) {
            const int shift = order == ByteOrder::kLittle ? i : width - 1 - i;
            stream += static_cast<char>(length >> (8 * shift));
          }
          stream += std::string(static_cast<size_t>(body), 'b');
        }
        const auto codec = length_prefix({.width = static_cast<uint8_t>(width),
                                          .order = order,
                                          .includes_head = includes,
                                          .skip_empty = includes});
        EXPECT_EQ(wrong(codec, {stream}), "") << width;
      }
    }
  }
}

TEST(CodecConformance, LengthPrefixInTheMiddleOfItsHead) {
  // A byte, the length, a byte that the length does not count, and the body.
  const std::string stream = bytes_of({7, 0, 2, 9, 'a', 'b', 7, 0, 0, 9});
  const LengthPrefixOptions options{.width = 2, .offset = 1, .adjustment = 1};
  EXPECT_EQ(wrong(length_prefix(options), {stream}), "");
  LengthPrefixOptions whole = options;
  whole.strip = 0;
  EXPECT_EQ(wrong(length_prefix(whole), {stream}), "");
  LengthPrefixOptions body = options;
  body.strip = 4;
  EXPECT_EQ(wrong(length_prefix(body), {stream}), "");
}

TEST(CodecConformance, Varint) {
  const std::string stream =
      bytes_of({2, 'a', 'b', 0, 0x81, 0x00, 'c'}) + bytes_of({0x80, 1}) + std::string(128, 'x');
  for (const int bytes_max : {2, 5, 10}) {
    for (const bool refuse : {false, true}) {
      const auto codec = varint({.bytes_max = static_cast<uint8_t>(bytes_max),
                                 .refuse_overlong = refuse,
                                 .skip_empty = refuse});
      EXPECT_EQ(wrong(codec, {stream, bytes_of({255, 255, 255, 255, 255, 255})}), "") << bytes_max;
    }
  }
}

TEST(CodecConformance, DecodersAndEncoders) {
  const std::vector<std::string> streams{
      "#1 one\n~2 ab c\nping x\n>3\n>first\n>second\n.\nwhat\n#4 a\nbye\n#6 x\n", "#1 x\n>2\n>part",
      ">1\n.\n#2", ""};
  EXPECT_EQ(wrong(support::talk_codec(), streams), "");
  EXPECT_EQ(wrong(support::talk_codec(support::TalkCodec::Ahead::kYes), streams), "");
}

// Mutants.

std::string found_in(CodecScript script) {
  return wrong(scripted(std::move(script)), {"a\nbc\nd", "xyz\n"});
}

Frame line(DecodeState&, std::string_view input, bool ended, size_t max) {
  const size_t end = input.find('\n');
  if (end == std::string_view::npos) {
    if (input.size() > max) return {Kind::kFatal, input.size(), "too long"};
    return ended ? Frame{Kind::kEnd, input.size()} : Frame{Kind::kIncomplete};
  }
  if (end > max) return {Kind::kFatal, end + 1, "too long"};
  return {Kind::kRequest, end + 1, input.substr(0, end)};
}

TEST(CodecConformanceMutants, TheCodecThatTheyAreMadeOfPasses) {
  EXPECT_EQ(found_in({.decode = line}), "");
}

TEST(CodecConformanceMutants, ConsumesTooMuch) {
  EXPECT_NE(found_in({.decode =
                          [](DecodeState& state, std::string_view in, bool ended, size_t max) {
                            Frame frame = line(state, in, ended, max);
                            if (frame.kind == Kind::kRequest) ++frame.consumed;
                            return frame;
                          }})
                .find("consumed more than there was"),
            std::string::npos);
}

TEST(CodecConformanceMutants, Throws) {
  EXPECT_NE(found_in({.decode =
                          [](DecodeState& state, std::string_view in, bool ended, size_t max) {
                            if (in.size() == 2 && ended) throw std::runtime_error("two");
                            return line(state, in, ended, max);
                          }})
                .find("threw: std::runtime_error: two"),
            std::string::npos);
}

TEST(CodecConformanceMutants, IgnoresTheEnd) {
  EXPECT_NE(found_in({.decode = [](DecodeState& state, std::string_view in, bool,
                                   size_t max) { return line(state, in, false, max); }})
                .find("waits for more when no more will come"),
            std::string::npos);
}

TEST(CodecConformanceMutants, DependsOnCuts) {
  EXPECT_NE(found_in({.decode =
                          [](DecodeState& state, std::string_view in, bool ended, size_t max) {
                            if (in == "b") return Frame{Kind::kRequest, 1, in};
                            return line(state, in, ended, max);
                          }})
                .find("are not those of the whole stream"),
            std::string::npos);
}

TEST(CodecConformanceMutants, Remembers) {
  int calls = 0;
  EXPECT_NE(found_in({.decode =
                          [&](DecodeState& state, std::string_view in, bool ended, size_t max) {
                            if (++calls % 7 == 0)
                              return Frame{Kind::kRefused, in.size(), "seventh"};
                            return line(state, in, ended, max);
                          }})
                .find("asked twice"),
            std::string::npos);
}

TEST(CodecConformanceMutants, GathersWithoutALimit) {
  EXPECT_NE(found_in({.decode = [](DecodeState& state, std::string_view in, bool ended,
                                   size_t) { return line(state, in, ended, SIZE_MAX); }})
                .find("frame_bytes_max"),
            std::string::npos);
}

TEST(CodecConformanceMutants, SkipsNothing) {
  EXPECT_NE(found_in({.decode =
                          [](DecodeState& state, std::string_view in, bool ended, size_t max) {
                            if (in.starts_with('x')) return Frame{Kind::kSkip};
                            return line(state, in, ended, max);
                          }})
                .find("it skips, and consumes nothing"),
            std::string::npos);
}

TEST(CodecConformanceMutants, FramesAnAnswerWrongly) {
  EXPECT_NE(
      found_in({.envelope = [](size_t) { return Envelope{}; }}).find("decoded, it is another"),
      std::string::npos);
  EXPECT_NE(
      found_in({.envelope = [](size_t) { return Envelope{.head_bytes = 99}; }}).find("overfilled"),
      std::string::npos);
}

TEST(CodecConformanceMutants, BatchesOtherwise) {
  EXPECT_NE(found_in({.decode_requests =
                          [](std::string_view in, std::span<DecodedRequest> into) {
                            if (into.empty() || in.empty()) return size_t{0};
                            into[0] = {in.substr(0, 1), in.data() + 1, {}, 0};
                            return size_t{1};
                          }})
                .find("by decode_requests()"),
            std::string::npos);
}

// Of codecs with decoders: lines, by a decoder that a test spoils.
struct DecoderScript {
  std::function<void(std::span<char>, DecodedFrame&)> spoil = [](std::span<char>, DecodedFrame&) {};
  size_t held = 0;
  size_t head_bytes = 0;
};

class SpoiltCodec final : public Codec {
 public:
  explicit SpoiltCodec(DecoderScript script) : script_(std::move(script)) {}

  std::unique_ptr<ConnectionDecoder> make_decoder() const override {
    return std::make_unique<Spoilt>(script_);
  }
  bool has_encoder() const override { return true; }
  void encode(const OutgoingReply&, EncodedReply& into) const override {
    into.head = std::string(script_.head_bytes, 'h');
    into.tail = "\n";
  }
  ErrorReply error_reply(const FailedRequest&) const override { return {.body = "E"}; }

 private:
  class Spoilt final : public ConnectionDecoder {
   public:
    explicit Spoilt(const DecoderScript& script) : script_(script) {}
    void decode(std::span<char> input, bool ended, size_t max, DecodedFrame& out) override {
      DecodeState state;
      static_cast<Frame&>(out) = line(state, {input.data(), input.size()}, ended, max);
      script_.spoil(input, out);
    }
    size_t bytes_held() const override { return script_.held; }

   private:
    const DecoderScript& script_;
  };

  const DecoderScript script_;
};

std::string found_in(DecoderScript script) {
  return wrong(std::make_shared<SpoiltCodec>(std::move(script)), {"a\nbc\nd", "xyz\n"});
}

TEST(CodecConformanceMutants, OfDecoders) {
  EXPECT_EQ(found_in(DecoderScript{}), "");
  int calls = 0;
  const auto is_told = [](const std::string& findings, const char* what) {
    EXPECT_NE(findings.find(what), std::string::npos) << findings;
  };
  is_told(found_in(DecoderScript{.spoil =
                                     [&](std::span<char>, DecodedFrame& out) {
                                       if (++calls % 5 == 0) out.code = 1;
                                     }}),
          "two decoders find two things");
  is_told(found_in(DecoderScript{.spoil =
                                     [&](std::span<char> in, DecodedFrame&) {
                                       if (!in.empty() && ++calls % 5 == 0) in[0] = '?';
                                     }}),
          "two decoders find two things");
  is_told(found_in(DecoderScript{.spoil =
                                     [](std::span<char> in, DecodedFrame& out) {
                                       if (in.size() == 1) out.at_once = "cut";
                                     }}),
          "are not those of the whole stream");
  is_told(found_in(DecoderScript{
              .spoil = [](std::span<char>, DecodedFrame&) { throw std::runtime_error("oh"); }}),
          "its decoder threw: std::runtime_error: oh");
  is_told(found_in(DecoderScript{.held = 1 << 20}), "it keeps more than frame_bytes_max");
  is_told(found_in(DecoderScript{.head_bytes = 20'000}), "what it has encoded is overfilled");
}

}  // namespace
}}  // namespace trireme
