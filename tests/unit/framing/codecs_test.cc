// Goal: what `lines` and `bytes` make of a stream is a function of the stream, never of how it was
// cut. Method: tables; each stream cut at every byte; random streams with random cuts against a
// reference that sees all.
#include <gtest/gtest.h>

#include <array>
#include <span>
#include <string>
#include <vector>

#include "support/lines_codec.h"
#include "support/unit_seed.h"
#include "trireme/codec.h"

namespace trireme { inline namespace v0 { namespace {

using Frames =
    std::vector<std::string>;  // "=line" for a request, "!" for a refusal, "." for a dropped rest

// Feeds a codec as a connection does: what is not consumed stays in front.
class Feed {
 public:
  Feed(const Codec& codec, size_t frame_bytes_max) : codec_(codec), max_(frame_bytes_max) {}

  void bytes(std::string_view piece) {
    input_ += piece;
    pump(false);
  }
  void end() { pump(true); }

  Frames frames;
  size_t waiting() const { return input_.size(); }
  const DecodeState& state() const { return state_; }

 private:
  void pump(bool ended) {
    for (int rounds = 0;; ++rounds) {
      ASSERT_LT(rounds, 100'000) << "the codec makes no progress";
      const Frame frame = codec_.decode(state_, input_, ended, max_);
      ASSERT_LE(frame.consumed, input_.size());
      const std::string payload(frame.payload);
      input_.erase(0, frame.consumed);
      switch (frame.kind) {
        case Frame::Kind::kIncomplete:
          ASSERT_FALSE(ended);
          return;
        case Frame::Kind::kGoodbye:
        case Frame::Kind::kPart:
          FAIL() << "of decoders only";
        case Frame::Kind::kEnd:
          ASSERT_TRUE(ended);
          if (frame.consumed > 0) frames.push_back(".");
          return;
        case Frame::Kind::kSkip:
          ASSERT_GT(frame.consumed, 0u);
          break;
        case Frame::Kind::kRequest:
          ASSERT_LE(payload.size(), max_);
          frames.push_back("=" + payload);
          break;
        case Frame::Kind::kRefused:
          ASSERT_FALSE(payload.empty());
          ASSERT_EQ(payload.find('\n'), std::string::npos);
          frames.push_back("!");
          break;
        case Frame::Kind::kFatal:
          FAIL() << "these codecs refuse nothing for good";
      }
    }
  }

  const Codec& codec_;
  const size_t max_;
  std::string input_;
  DecodeState state_;
};

Frames decode_all(const Codec& codec, std::string_view stream, size_t max) {
  Feed feed(codec, max);
  feed.bytes(stream);
  feed.end();
  return feed.frames;
}

struct Case {
  std::string stream;
  Frames frames;
};

// With a limit of 4 bytes.
std::vector<Case> cases() {
  using std::string;
  return {
      {"", {}},
      {"\n", {"="}},
      {"\r\n", {"="}},
      {"ab\n", {"=ab"}},
      {"ab\r\n", {"=ab"}},
      {"ab\ncd\n\nef\r\n", {"=ab", "=cd", "=", "=ef"}},
      {"a\rb\n", {"=a\rb"}},
      {"\ra\n", {"=\ra"}},
      {"a\r\r\n", {"=a\r"}},
      {"\r\r\r\n", {"=\r\r"}},
      {string("a\0b\n", 4), {string("=a\0b", 4)}},
      {string("\0\n", 2), {string("=\0", 2)}},
      {"\xff\x80\n", {"=\xff\x80"}},
      {"abcd\n", {"=abcd"}},           // exactly the limit
      {"abcd\r\n", {"=abcd"}},         // the limit without its end
      {"abcde\nx\n", {"!", "=x"}},     // one more
      {"abcde\r\nx\n", {"!", "=x"}},   // one more, with \r
      {"abcd\r\r\nx\n", {"!", "=x"}},  // the first \r counts
      {"abcd\rx\ny\n", {"!", "=y"}},   // \r that ends nothing
      {"abcdefghijklmnop\nx\n", {"!", "=x"}},
      {"abcdefgh\nabcdefgh\nx\n", {"!", "!", "=x"}},
      {"abcdefgh\n\nx\n", {"!", "=", "=x"}},
      {"ab", {"."}},  // unterminated: dropped
      {"x\nab", {"=x", "."}},
      {"ab\r", {"."}},
      {"abcd", {"."}},
  };
}

TEST(Lines, TableInOnePiece) {
  for (const Case& one : cases()) {
    EXPECT_EQ(decode_all(*lines(), one.stream, 4), one.frames) << one.stream;
  }
}

TEST(Lines, TableCutAtEveryByteAndByteByByte) {
  for (const Case& one : cases()) {
    for (size_t cut = 0; cut <= one.stream.size(); ++cut) {
      Feed feed(*lines(), 4);
      feed.bytes(std::string_view(one.stream).substr(0, cut));
      feed.bytes(std::string_view(one.stream).substr(cut));
      feed.end();
      EXPECT_EQ(feed.frames, one.frames) << one.stream << " cut at " << cut;
    }
    Feed feed(*lines(), 4);
    for (const char byte : one.stream) feed.bytes({&byte, 1});
    feed.end();
    EXPECT_EQ(feed.frames, one.frames) << one.stream << " byte by byte";
  }
}

TEST(Lines, ALongLineIsRefusedEarlyAndNeverGathered) {
  Feed feed(*lines(), 100);
  feed.bytes(std::string(101, 'a'));
  EXPECT_EQ(feed.frames, Frames{});  // may still be "\r" behind 100
  feed.bytes("a");
  EXPECT_EQ(feed.frames, Frames{"!"});
  for (int i = 0; i < 1000; ++i) {
    feed.bytes(std::string(1000, 'b'));
    ASSERT_EQ(feed.waiting(), 0u);
    ASSERT_NE(feed.state().flags, 0u) << "in the midst of a line, although no byte of it is kept";
  }
  feed.bytes("\nok\n");
  EXPECT_EQ(feed.frames, (Frames{"!", "=ok"}));
  EXPECT_EQ(feed.state().flags, 0u);
}

TEST(Lines, EndingInTheMidstOfASkippedLineAddsNothing) {
  Feed feed(*lines(), 4);
  feed.bytes("abcdefgh");
  feed.bytes("ijk");
  feed.end();
  EXPECT_EQ(feed.frames, Frames{"!"});
}

// The rest of a skipped line may come with the end of the stream: it is not a dropped request.
TEST(Lines, ASkippedLineThatEndsWithTheStreamAddsNothing) {
  DecodeState state;
  ASSERT_EQ(lines()->decode(state, "abcdefgh", false, 4).kind, Frame::Kind::kRefused);
  const Frame rest = lines()->decode(state, "ijk\n", true, 4);
  EXPECT_EQ(rest.kind, Frame::Kind::kSkip);
  EXPECT_EQ(rest.consumed, 4u);
  const Frame end = lines()->decode(state, "", true, 4);
  EXPECT_EQ(end.kind, Frame::Kind::kEnd);
  EXPECT_EQ(end.consumed, 0u);
}

// Scanning starts where it stopped: a line that drips in costs its length, not the square of it.
TEST(Lines, RemembersWhatItHasScanned) {
  Feed feed(*lines(), 1000);
  feed.bytes(std::string(500, 'a'));
  EXPECT_EQ(feed.state().scanned, 500u);
  feed.bytes("\nabc");
  EXPECT_EQ(feed.state().scanned, 3u);
  EXPECT_EQ(feed.frames, Frames{"=" + std::string(500, 'a')});
}

TEST(Lines, FramesItsRepliesAndErrors) {
  const auto codec = lines();
  const Envelope envelope = codec->envelope(77);
  EXPECT_EQ(envelope.head_bytes, 0);
  EXPECT_EQ(std::string(envelope.tail.data(), envelope.tail_bytes), "\n");
  EXPECT_EQ(codec->error_reply({.sentence = "it broke"}).body, "ERR it broke");
  EXPECT_FALSE(codec->error_reply({.sentence = "it broke"}).close);
  EXPECT_EQ(codec->error_reply({.failure = Failure::kBusy, .sentence = "busy"}).body, "BUSY");
  EXPECT_FALSE(codec->error_reply({.failure = Failure::kBusy}).close);
  EXPECT_EQ(codec->last_words(CloseReason::kDrained), "");
}

// The reference sees the whole stream.
Frames reference(std::string_view stream, size_t max) {
  Frames frames;
  while (true) {
    const size_t end = stream.find('\n');
    if (end == std::string_view::npos) break;
    std::string_view line = stream.substr(0, end);
    stream.remove_prefix(end + 1);
    if (line.ends_with('\r')) line.remove_suffix(1);
    frames.push_back(line.size() > max ? "!" : "=" + std::string(line));
  }
  return frames;
}

TEST(LinesProperty, RandomStreamsWithRandomCutsAgreeWithTheReference) {
  Random random = unit::seeded_random();
  for (int round = 0; round < 2'000; ++round) {
    const size_t max = 1 + random.below(8);
    std::string stream;
    for (size_t bytes = random.below(80); bytes > 0; --bytes) {
      stream += std::string("ab\r\n\0\n\r\xfe", 8)[random.below(8)];
    }
    stream += '\n';
    Feed feed(*lines(), max);
    std::string_view rest = stream;
    while (!rest.empty()) {
      const size_t piece = 1 + random.below(std::min<size_t>(rest.size(), 12));
      feed.bytes(rest.substr(0, piece));
      rest.remove_prefix(piece);
    }
    feed.end();
    ASSERT_EQ(feed.frames, reference(stream, max)) << "round " << round;
  }
}

TEST(Bytes, WhateverHasArrivedIsARequestUpToTheLimit) {
  EXPECT_EQ(decode_all(*bytes(), "hello", 100), Frames{"=hello"});
  EXPECT_EQ(decode_all(*bytes(), "hello", 5), Frames{"=hello"});
  EXPECT_EQ(decode_all(*bytes(), "hello", 4), (Frames{"=hell", "=o"}));
  EXPECT_EQ(decode_all(*bytes(), "", 4), Frames{});
  EXPECT_EQ(decode_all(*bytes(), std::string("\0\n\r", 3), 9),
            Frames{"=" + std::string("\0\n\r", 3)});
}

TEST(BytesProperty, TheRequestsJoinedAreTheStream) {
  Random random = unit::seeded_random();
  for (int round = 0; round < 500; ++round) {
    Feed feed(*bytes(), 1 + random.below(20));
    std::string stream;
    for (size_t pieces = random.below(10); pieces > 0; --pieces) {
      const std::string piece(random.below(40), static_cast<char>(random.below(256)));
      stream += piece;
      feed.bytes(piece);
      ASSERT_EQ(feed.waiting(), 0u);
    }
    feed.end();
    std::string joined;
    for (const std::string& frame : feed.frames) joined += frame.substr(1);
    ASSERT_EQ(joined, stream);
  }
}

TEST(Bytes, HasNoErrorReplyAndCloses) {
  EXPECT_EQ(bytes()->error_reply({.sentence = "x"}).body, "");
  EXPECT_TRUE(bytes()->error_reply({.sentence = "x"}).close);
  EXPECT_TRUE(bytes()->error_reply({.failure = Failure::kBusy}).close);
  EXPECT_EQ(bytes()->envelope(5).head_bytes + bytes()->envelope(5).tail_bytes, 0);
}

// What decode_requests finds is what decode finds, whatever the bytes and wherever they are cut.

TEST(LinesCodec, SeveralRequestsAtOnceAreThoseOfOneByOne) {
  Random random = unit::seeded_random();
  const support::LinesCodec plain;  // with the loop that every codec has
  for (int round = 0; round < 20'000; ++round) {
    std::string input;
    for (uint64_t i = random.below(40); i > 0; --i) input += "ab\r\n\n"[random.below(5)];
    DecodeState state{.scanned = random.below(4), .flags = random.below(8) == 0 ? 1u : 0u};
    // Only what has no end may count as looked at.
    state.scanned = std::min(state.scanned, input.size());
    while (state.scanned > 0 && input.substr(0, state.scanned).find('\n') != input.npos) {
      --state.scanned;
    }
    DecodeState expected_state = state;
    const size_t bytes_max = 1 + random.below(6);
    std::array<DecodedRequest, 5> found, expected;
    const std::span<DecodedRequest> into = std::span(found).first(random.below(6));
    const size_t count = lines()->decode_requests(state, input, false, bytes_max, 0, into);
    const size_t expected_count = plain.decode_requests(expected_state, input, false, bytes_max, 0,
                                                        std::span(expected).first(into.size()));
    ASSERT_EQ(count, expected_count) << input;
    for (size_t i = 0; i < count; ++i) {
      ASSERT_EQ(found[i].payload, expected[i].payload);
      ASSERT_EQ(found[i].end, expected[i].end);
      ASSERT_EQ(found[i].after.flags, expected[i].after.flags);
      ASSERT_EQ(found[i].after.scanned, expected[i].after.scanned);
    }
    // What it remembers of the rest may differ in how far it has looked, not in what it finds.
    ASSERT_EQ(state.flags, expected_state.flags);
    ASSERT_LE(state.scanned, input.size());
  }
}

TEST(Codecs, AFixedEnvelopeIsTheSameForEverySize) {
  for (const auto& codec : {lines(), bytes()}) {
    ASSERT_TRUE(codec->has_fixed_envelope());
    const Envelope first = codec->envelope(0);
    for (const size_t size : {1u, 100u, 70'000u}) {
      const Envelope other = codec->envelope(size);
      EXPECT_EQ(first.head, other.head);
      EXPECT_EQ(first.tail, other.tail);
      EXPECT_EQ(first.head_bytes, other.head_bytes);
      EXPECT_EQ(first.tail_bytes, other.tail_bytes);
    }
  }
}

}  // namespace
}}  // namespace trireme
