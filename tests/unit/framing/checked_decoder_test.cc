// Goal: a decoder tells the mistakes of its codec as values, believes no frame of a codec that was
// not tested, and consumes nothing of what it does not believe. Method: codecs that do as they are
// told.
#include "framing/checked_decoder.h"

#include <gtest/gtest.h>

#include <array>
#include <functional>
#include <stdexcept>

namespace trireme { inline namespace v0 { namespace {

class Scripted final : public Codec {
 public:
  using Decode = std::function<Frame(DecodeState&, std::string_view)>;
  explicit Scripted(Decode decode) : decode_(std::move(decode)) {}

  Frame decode(DecodeState& state, std::string_view input, bool, size_t) const override {
    return decode_(state, input);
  }
  size_t decode_requests(DecodeState& state, std::string_view input, bool ended, size_t max,
                         uint32_t kind, std::span<DecodedRequest> into) const override {
    return requests_ ? requests_(input, into)
                     : Codec::decode_requests(state, input, ended, max, kind, into);
  }
  Envelope envelope(size_t) const override { return {}; }
  ErrorReply error_reply(const FailedRequest&) const override { return {}; }

  std::function<size_t(std::string_view, std::span<DecodedRequest>)> requests_;

 private:
  Decode decode_;
};

constexpr FrameRules kRules{.frame_bytes_max = 100};

Frame one_byte(std::string_view input) {
  return {.kind = Frame::Kind::kRequest, .consumed = 1, .payload = input.substr(0, 1)};
}

Frame ask(CheckedDecoder& decoder, std::string_view input, bool ended, DecodeNotes& notes) {
  return decoder.decode(kRules, input, ended, input.size(), notes);
}

TEST(CheckedDecoder, PassesASoundFrameOn) {
  Scripted codec([](DecodeState&, std::string_view input) { return one_byte(input); });
  CheckedDecoder decoder;
  decoder.use(&codec);
  DecodeNotes notes;
  const Frame frame = ask(decoder, "ab", false, notes);
  EXPECT_EQ(frame.kind, Frame::Kind::kRequest);
  EXPECT_EQ(frame.payload, "a");
  EXPECT_EQ(notes.mistake, "");
}

TEST(CheckedDecoder, WhatACodecThrowsIsAMistake) {
  Scripted codec([](DecodeState&, std::string_view) -> Frame { throw std::runtime_error("oh"); });
  codec.requests_ = [](std::string_view, std::span<DecodedRequest>) -> size_t { throw 1; };
  CheckedDecoder decoder;
  decoder.use(&codec);
  DecodeNotes notes;
  const Frame frame = ask(decoder, "ab", false, notes);
  EXPECT_EQ(frame.kind, Frame::Kind::kEnd);
  EXPECT_EQ(frame.consumed, 0u);
  EXPECT_EQ(notes.mistake, "decode() threw: std::runtime_error: oh");
  std::array<DecodedRequest, 4> into;
  notes = {};
  EXPECT_EQ(decoder.decode_requests(kRules, "ab", false, 0, into, notes), 0u);
  EXPECT_TRUE(notes.mistake.starts_with("decode_requests() threw")) << notes.mistake;
}

TEST(CheckedDecoder, NothingIsConsumedOfAFrameThatIsNotBelieved) {
  Scripted codec([](DecodeState&, std::string_view input) {
    return Frame{.kind = Frame::Kind::kRequest, .consumed = input.size() + 1};
  });
  CheckedDecoder decoder;
  decoder.use(&codec);
  DecodeNotes notes;
  const Frame frame = ask(decoder, "ab", false, notes);
  EXPECT_EQ(frame.kind, Frame::Kind::kEnd);
  EXPECT_EQ(frame.consumed, 0u);
  EXPECT_EQ(notes.mistake, "it consumed more than there was");
}

TEST(CheckedDecoder, FramesThatConsumeNothingAreBounded) {
  Scripted codec([](DecodeState&, std::string_view) {
    return Frame{.kind = Frame::Kind::kRefused, .payload = "no"};
  });
  CheckedDecoder decoder;
  decoder.use(&codec);
  DecodeNotes notes;
  int frames = 0;
  while (ask(decoder, "ab", false, notes).kind == Frame::Kind::kRefused && frames < 1000) ++frames;
  EXPECT_EQ(frames, 16);
  EXPECT_TRUE(decoder.stands_still());
  EXPECT_EQ(notes.mistake, "it finds frame after frame and consumes nothing");
}

TEST(CheckedDecoder, AtTheEndOfTheStreamAPartIsDroppedAndTold) {
  bool keeps_bytes = true;
  Scripted codec([&](DecodeState& state, std::string_view) {
    state.flags = 1;
    return Frame{.kind = Frame::Kind::kIncomplete, .consumed = keeps_bytes ? 0u : 2u};
  });
  CheckedDecoder decoder;
  decoder.use(&codec);
  DecodeNotes notes;
  const Frame dropped = ask(decoder, "ab", true, notes);
  EXPECT_EQ(dropped.kind, Frame::Kind::kEnd);
  EXPECT_EQ(dropped.consumed, 2u);
  EXPECT_FALSE(notes.lost_part) << "its bytes tell";
  const Frame none = ask(decoder, "", true, notes);
  EXPECT_EQ(none.kind, Frame::Kind::kEnd);
  EXPECT_TRUE(notes.lost_part);
}

TEST(CheckedDecoder, RequestsThatDoNotFollowEachOtherAreAMistake) {
  Scripted codec([](DecodeState&, std::string_view input) { return one_byte(input); });
  CheckedDecoder decoder;
  decoder.use(&codec);
  std::array<DecodedRequest, 2> into;
  DecodeNotes notes;
  EXPECT_EQ(decoder.decode_requests(kRules, "abc", false, 0, into, notes), 2u);
  codec.requests_ = [](std::string_view, std::span<DecodedRequest> all) { return all.size() + 1; };
  EXPECT_EQ(decoder.decode_requests(kRules, "abc", false, 0, into, notes), 0u);
  EXPECT_EQ(notes.mistake, "decode_requests() found more than it was asked for");
  codec.requests_ = [](std::string_view input, std::span<DecodedRequest> all) -> size_t {
    all[0] = {.payload = {}, .end = input.data() + 2};
    all[1] = {.payload = {}, .end = input.data() + 1};
    return 2;
  };
  EXPECT_EQ(decoder.decode_requests(kRules, "abc", false, 0, into, notes), 0u);
  EXPECT_EQ(notes.mistake, "decode_requests() found what does not follow each other");
}

TEST(CheckedDecoder, AnotherCodecBeginsAnew) {
  Scripted codec([](DecodeState& state, std::string_view) {
    state.flags = 1;
    return Frame{.kind = Frame::Kind::kRefused, .payload = "no"};
  });
  CheckedDecoder decoder;
  decoder.use(&codec);
  DecodeNotes notes;
  ask(decoder, "ab", false, notes);
  EXPECT_TRUE(decoder.is_in_frame());
  EXPECT_TRUE(decoder.stands_still());
  decoder.use(lines().get());
  EXPECT_FALSE(decoder.is_in_frame());
  EXPECT_FALSE(decoder.stands_still());
  EXPECT_EQ(decoder.codec(), lines().get());
}

}  // namespace
}}  // namespace trireme
