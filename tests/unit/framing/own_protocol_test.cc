// Goal: what the codecs of trireme/codecs.h promise beside what every codec must keep: lengths,
// limits, replies, and options that cannot work. Method: tables, and testing::Conversation.
#include <gtest/gtest.h>

#include <initializer_list>
#include <string>

#include "framing/varint.h"
#include "support/scripted_codec.h"
#include "trireme/codecs.h"
#include "trireme/server.h"
#include "trireme/testing/conversation.h"

namespace trireme { inline namespace v0 { namespace {

using testing::Conversation;
using Kind = Frame::Kind;

std::string text_of(std::initializer_list<int> values) {
  std::string bytes;
  for (const int value : values) bytes += static_cast<char>(value);
  return bytes;
}

Frame first(const std::shared_ptr<const Codec>& codec, std::string_view input, size_t max = 1000) {
  DecodeState state;
  return codec->decode(state, input, false, max);
}

std::string head_of(const std::shared_ptr<const Codec>& codec, size_t body_bytes) {
  const Envelope envelope = codec->envelope(body_bytes);
  return {envelope.head.data(), envelope.head_bytes};
}

Answer echo(const Request& request) {
  if (request.text() == "error") return error("it broke");
  if (request.text() == "busy") return busy();
  if (request.text() == "long") return std::string(300, 'l');
  return request.own();
}

TEST(LengthPrefix, AHostileLengthIsRefusedByItsHeadAlone) {
  EXPECT_EQ(first(length_prefix(), text_of({255, 255, 255, 255})).kind, Kind::kFatal);
  EXPECT_EQ(first(length_prefix(), text_of({0, 0, 3, 233})).kind, Kind::kFatal);
  EXPECT_EQ(first(length_prefix(), text_of({0, 0, 3, 232})).kind, Kind::kIncomplete);
  const auto wide = length_prefix({.width = 8, .adjustment = 2'000'000'000});
  EXPECT_EQ(first(wide, std::string(8, '\xff')).kind, Kind::kFatal);
  EXPECT_EQ(first(wide, std::string(8, '\0')).kind, Kind::kFatal) << "the adjustment alone is over";
}

TEST(LengthPrefix, ALengthThatDoesNotHoldItsOwnHeadIsRefused) {
  const auto codec = length_prefix({.width = 2, .includes_head = true});
  EXPECT_EQ(first(codec, text_of({0, 1})).kind, Kind::kFatal);
  EXPECT_EQ(first(codec, text_of({0, 2})).kind, Kind::kRequest);
  EXPECT_EQ(first(length_prefix({.width = 1, .adjustment = -3}), text_of({2})).kind, Kind::kFatal);
}

TEST(LengthPrefix, AnswersGetTheHeadThatRequestsHave) {
  EXPECT_EQ(head_of(length_prefix(), 258), text_of({0, 0, 1, 2}));
  EXPECT_EQ(head_of(length_prefix({.order = ByteOrder::kLittle}), 258), text_of({2, 1, 0, 0}));
  EXPECT_EQ(head_of(length_prefix({.width = 2, .includes_head = true}), 258), text_of({1, 4}));
  EXPECT_EQ(head_of(length_prefix({.width = 3, .offset = 1, .adjustment = 1}), 258),
            text_of({0, 0, 1, 1}));
  EXPECT_EQ(head_of(length_prefix({.strip = 0}), 258), "");
}

TEST(LengthPrefix, AnAnswerTooLongForItsLengthCostsTheConnection) {
  Conversation talk(length_prefix({.width = 1}), echo);
  EXPECT_EQ(talk.say(std::string("\5error", 6)), std::string("\f") + "ERR it broke");
  EXPECT_EQ(talk.say(std::string("\4busy", 5)), std::string("\4BUSY"));
  EXPECT_EQ(talk.say(std::string("\4long", 5)), "");
  talk.end();
  EXPECT_EQ(talk.closed(), CloseReason::kCodecError);
}

TEST(LengthPrefix, ATooLongFrameGetsAnErrorAndEndsTheConnection) {
  Conversation talk(length_prefix({.width = 1}), echo, {.limits = {.frame_bytes_max = 10}});
  EXPECT_EQ(talk.say("\1x\13"), std::string("\1x\31ERR the frame is too long"));
  talk.end();
  EXPECT_EQ(talk.closed(), CloseReason::kProtocolError);
}

TEST(VarintTable, NumbersAndTheirBytes) {
  struct Case {
    std::string bytes;
    unsigned bytes_max;
    Varint::Found found;
    uint64_t number;
  };
  const auto kNumber = Varint::Found::kNumber, kBad = Varint::Found::kMalformed;
  for (const Case& one : std::initializer_list<Case>{
           {text_of({0}), 5, kNumber, 0},
           {text_of({0xac, 0x02}), 5, kNumber, 300},
           {text_of({255, 255, 255, 255, 15}), 5, kNumber, UINT32_MAX},
           {text_of({255, 255, 255, 255, 16}), 5, kBad, 0},
           {text_of({255, 255, 255, 255, 255}), 5, kBad, 0},
           {text_of({255, 255, 255, 255, 255, 255, 255, 255, 255, 1}), 10, kNumber, UINT64_MAX},
           {text_of({255, 255, 255, 255, 255, 255, 255, 255, 255, 2}), 10, kBad, 0},
           {text_of({0x80, 0x80}), 2, kBad, 0},
           {text_of({0x80}), 2, Varint::Found::kIncomplete, 0}}) {
    const Varint read = read_varint(one.bytes, one.bytes_max);
    EXPECT_EQ(read.found, one.found) << one.number;
    EXPECT_EQ(read.number, one.number);
    if (read.found != kNumber) continue;
    char written[10];
    EXPECT_EQ(std::string(written, write_varint(one.number, written)), one.bytes);
  }
}

TEST(VarintCodec, OverlongLengthsAreRefusedByOption) {
  const std::string overlong = text_of({0x81, 0x00, 'x'});
  EXPECT_EQ(first(varint(), overlong).payload, "x");
  EXPECT_EQ(first(varint({.refuse_overlong = true}), overlong).kind, Kind::kFatal);
  EXPECT_EQ(head_of(varint(), 300), text_of({0xac, 0x02}));
}

TEST(DelimiterCodec, TheOneThatIsCompleteFirstEndsTheRequest) {
  const auto codec = delimiter("\r\n", {.also = {"\n", ";"}});
  EXPECT_EQ(first(codec, "a;b\r\n").payload, "a");
  EXPECT_EQ(first(codec, "b\r\n").payload, "b");
  EXPECT_EQ(first(codec, "c\n").payload, "c");
  EXPECT_EQ(first(delimiter("\n", {.include = true}), "c\nd").payload, "c\n");
}

TEST(DelimiterCodec, AnErrorNeverHoldsADelimiter) {
  EXPECT_EQ(delimiter(" ")->error_reply({.sentence = "it broke"}).body, "ERR_it_broke");
  EXPECT_EQ(delimiter("\n", {.include = true})->error_reply({.sentence = "no"}).body, "ERR no\n");
}

TEST(DelimiterCodec, ATooLongRequestIsSkippedToItsEnd) {
  Conversation talk(delimiter("--"), echo, {.limits = {.frame_bytes_max = 4}});
  EXPECT_EQ(talk.say("abcdefgh-"), "ERR the line is too long--");
  EXPECT_EQ(talk.say("-x--"), "x--");
}

TEST(KeepAlives, AreSkippedAndTheRequestBehindThemIsFoundAtOnce) {
  Conversation talk(length_prefix({.width = 1, .skip_empty = true}), echo);
  EXPECT_EQ(talk.say(std::string("\0\0\1x\0", 5)), "\1x");
  EXPECT_EQ(talk.say(std::string(5'000, '\0') + "\1y"), "\1y");
  EXPECT_EQ(talk.stats().requests, 2u);
  talk.end();
  EXPECT_EQ(talk.closed(), CloseReason::kPeerClosed);
  EXPECT_EQ(talk.stats().partial_requests_dropped, 0u);
}

TEST(KeepAlives, ASkipThatConsumesNothingIsAMistake) {
  Conversation talk(
      support::scripted({.decode =
                             [](DecodeState&, std::string_view in, bool ended, size_t) {
                               if (in.empty()) return Frame{ended ? Kind::kEnd : Kind::kIncomplete};
                               return Frame{Kind::kSkip};
                             }}),
      echo);
  talk.say("x");
  talk.end();
  EXPECT_EQ(talk.closed(), CloseReason::kCodecError);
}

TEST(OptionsOfCodecs, ThatCannotWorkAreRefusedByStartWithASentence) {
  struct Case {
    std::shared_ptr<const Codec> codec;
    const char* words;
  };
  for (const Case& one :
       std::initializer_list<Case>{{length_prefix({.width = 5}), "1, 2, 3, 4 or 8"},
                                   {length_prefix({.offset = 14}), "at most 16"},
                                   {length_prefix({.offset = 1, .strip = 2}), "in two"},
                                   {delimiter(""), "1 to 64 bytes"},
                                   {delimiter("123456789"), "at most 8 bytes"},
                                   {delimiter("abc", {.also = {"b"}}), "can never end"},
                                   {fixed(0), "1 byte to 1 GiB"},
                                   {fixed(2 << 20), "over frame_bytes_max"},
                                   {varint({.bytes_max = 11}), "1 to 10"}}) {
    Server server;
    server.listen("tcp://127.0.0.1:0", one.codec, echo);
    const auto started = server.start();
    ASSERT_FALSE(started.ok()) << one.words;
    EXPECT_NE(started.error().message.find(one.words), std::string::npos)
        << started.error().message;
  }
}

}  // namespace
}}  // namespace trireme
