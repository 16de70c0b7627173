// Goal: no mistake of a codec costs more than its connection: replies to earlier requests leave,
// then it ends with CloseReason::kCodecError, and the books balance. Method: lines, by codecs that
// make one mistake each; testing::Conversation, whose input lies in a buffer of its own so that the
// address sanitizer sees what is read behind it.
#include <gtest/gtest.h>

#include <stdexcept>
#include <string>
#include <vector>

#include "support/scripted_codec.h"
#include "trireme/testing/conversation.h"

namespace trireme { inline namespace v0 { namespace {

using support::CodecScript;
using support::scripted;
using testing::Conversation;
using Kind = Frame::Kind;

Answer reply_to(const Request& request) {
  if (request.text() == "large") return std::string(3'000, 'l');
  if (request.text() == "huge") return std::string(100'000, 'h');
  if (request.text() == "error") return error("it broke");
  if (request.text() == "busy") return busy();
  return request.own();
}

void expect_codec_error(Conversation& talk, const std::string& what) {
  talk.end();
  EXPECT_EQ(talk.closed(), CloseReason::kCodecError) << what;
  const Stats stats = talk.stats();
  EXPECT_EQ(stats.requests + stats.refused_frames,
            stats.replies + stats.unanswered + stats.replies_dropped)
      << what;
  EXPECT_EQ(stats.slots_made, stats.slots_gone) << what;
  EXPECT_EQ(stats.live, 0u) << what;
  EXPECT_EQ(stats.handler_exceptions, 0u) << what;
}

// Without a word about `ended`: the codec that everybody writes first.
Frame first_codec(DecodeState&, std::string_view input, bool, size_t) {
  const size_t end = input.find('\n');
  if (end == std::string_view::npos) return {Kind::kIncomplete};
  return {Kind::kRequest, end + 1, input.substr(0, end)};
}

TEST(CodecMistakes, ToWaitForMoreAtTheEndOfTheStreamIsTheEnd) {
  for (const bool has_rest : {false, true}) {
    Conversation talk(scripted({.decode = first_codec}), reply_to);
    EXPECT_EQ(talk.say(has_rest ? "a\nb\nrest" : "a\nb\n"), "a\nb\n");
    EXPECT_EQ(talk.end(), "");
    EXPECT_EQ(talk.closed(), CloseReason::kPeerClosed);
    EXPECT_EQ(talk.stats().partial_requests_dropped, has_rest ? 1u : 0u);
    EXPECT_EQ(talk.stats().slots_made, talk.stats().slots_gone);
  }
}

TEST(CodecMistakes, AtTheEndAPartOfWhichNoByteWasKeptCountsAsDropped) {
  const auto skips = [](DecodeState& state, std::string_view input, bool, size_t) -> Frame {
    state.flags = 1;
    return {Kind::kIncomplete, input.size()};
  };
  Conversation talk(scripted({.decode = skips}), reply_to);
  talk.say("part");
  talk.end();
  EXPECT_EQ(talk.closed(), CloseReason::kPeerClosed);
  EXPECT_EQ(talk.stats().partial_requests_dropped, 1u);
}

// Empty lines and comments are dropped without a word; bytes that are dropped are progress.
Frame with_comments(DecodeState& state, std::string_view input, bool ended, size_t max) {
  if (input.starts_with("\r\n")) return {Kind::kIncomplete, 2};
  const Frame frame = first_codec(state, input, ended, max);
  if (input.starts_with('#') && frame.kind == Kind::kRequest) {
    return {Kind::kIncomplete, frame.consumed};
  }
  return frame;
}

TEST(CodecMistakes, BehindDroppedBytesARequestIsFoundAtOnce) {
  Conversation talk(scripted({.decode = with_comments}), reply_to);
  EXPECT_EQ(talk.say("# a\nx\n"), "x\n");
  EXPECT_EQ(talk.say("y\n# b\n\r\n# c\nz\n# d"), "y\nz\n");
  EXPECT_EQ(talk.say("\nu\n\r\n\r\n"), "u\n");
  EXPECT_EQ(talk.end(), "");
  EXPECT_EQ(talk.closed(), CloseReason::kPeerClosed);
}

TEST(CodecMistakes, DroppedBytesAloneAndTheEnd) {
  Conversation talk(scripted({.decode = with_comments}), reply_to);
  EXPECT_EQ(talk.say("\r\n\r\n\r\n"), "");
  EXPECT_EQ(talk.end(), "");
  EXPECT_EQ(talk.closed(), CloseReason::kPeerClosed);
}

TEST(CodecMistakes, ManyDroppedPiecesLeaveOthersTheirTurn) {
  Conversation talk(scripted({.decode = with_comments}), reply_to);
  std::string comments;
  for (int i = 0; i < 5'000; ++i) comments += "#\n";
  EXPECT_EQ(talk.say(comments + "x\n"), "x\n");
  EXPECT_GT(talk.stats().loop_turns, 5'000u / 256);
}

struct Mistake {
  std::string name;
  std::function<Frame(DecodeState&, std::string_view)> bad;  // about a line that begins with "bad"
};

std::vector<Mistake> mistakes_of_decode() {
  static const std::string elsewhere = "elsewhere";
  return {
      {"throws an exception",
       [](DecodeState&, std::string_view) -> Frame { throw std::runtime_error("bad\nhead"); }},
      {"throws something else", [](DecodeState&, std::string_view) -> Frame { throw 7; }},
      {"consumes one byte too much",
       [](DecodeState&, std::string_view in) -> Frame {
         return {Kind::kRequest, in.size() + 1, in};
       }},
      {"consumes all the memory there is",
       [](DecodeState&, std::string_view in) -> Frame {
         return {Kind::kRequest, SIZE_MAX, in};
       }},
      {"drops too much",
       [](DecodeState&, std::string_view in) -> Frame {
         return {Kind::kIncomplete, in.size() + 1};
       }},
      {"refuses too much",
       [](DecodeState&, std::string_view in) -> Frame {
         return {Kind::kRefused, in.size() + 1, "no"};
       }},
      {"has its payload elsewhere",
       [](DecodeState&, std::string_view) -> Frame {
         return {Kind::kRequest, 4, elsewhere};
       }},
      {"has its payload behind what it consumes",
       [](DecodeState&, std::string_view in) -> Frame {
         return {Kind::kRequest, 2, in.substr(1, 2)};
       }},
      {"has its payload behind the input",
       [](DecodeState&, std::string_view in) -> Frame {
         return {Kind::kRequest, in.size(), {in.data() + 1, in.size()}};
       }},
      {"has its payload before the input",
       [](DecodeState&, std::string_view in) -> Frame {
         return {Kind::kRequest, in.size(), {in.data() - 1, 2}};
       }},
      {"tells an end that has not come",
       [](DecodeState&, std::string_view) -> Frame { return {Kind::kEnd}; }},
      {"finds a frame of no kind",
       [](DecodeState&, std::string_view) -> Frame {
         return {static_cast<Kind>(77), 1};
       }},
      {"finds requests for ever",
       [](DecodeState& state, std::string_view in) -> Frame {
         ++state.flags;
         return {Kind::kRequest, 0, in.substr(0, 0)};
       }},
      {"refuses for ever",
       [](DecodeState&, std::string_view) -> Frame {
         return {Kind::kRefused, 0, "no"};
       }},
  };
}

TEST(CodecMistakes, OfDecodeEndTheConnectionBehindTheRepliesBefore) {
  for (const Mistake& mistake : mistakes_of_decode()) {
    const auto decode = [&](DecodeState& state, std::string_view in, bool ended, size_t max) {
      return in.starts_with("bad") ? mistake.bad(state, in) : first_codec(state, in, ended, max);
    };
    for (const std::string before : {"", "a\n", "a\nb\nc\n"}) {
      for (const bool at_once : {true, false}) {
        for (const Ordering ordering : {Ordering::kSerial, Ordering::kPipelined}) {
          Conversation talk(scripted({.decode = decode}), reply_to, {.ordering = ordering});
          std::string heard = at_once ? "" : talk.say(before);
          heard += talk.say(at_once ? before + "bad\nx\n" : "bad\nx\n");
          EXPECT_TRUE(heard.starts_with(before)) << mistake.name << ": " << heard;
          EXPECT_EQ(heard.find('x'), std::string::npos) << mistake.name << ": " << heard;
          EXPECT_LE(heard.size(), before.size() + 200) << mistake.name;
          expect_codec_error(talk, mistake.name);
        }
      }
    }
  }
}

TEST(CodecMistakes, AFrameOfNothingThenAnotherCodecIsNone) {
  const auto looks = [](DecodeState&, std::string_view in, bool ended, size_t) -> Frame {
    if (in.empty()) return {ended ? Kind::kEnd : Kind::kIncomplete};
    return {.kind = Kind::kRequest, .request_kind = in[0] == '[' ? 1u : 0u};
  };
  Conversation talk(scripted({.decode = looks}), [](const Request& request) -> Answer {
    if (request.kind() == 0 && request.text().empty()) return Answer("lines").then(lines());
    return request.own();
  });
  EXPECT_EQ(talk.say("a\nb\n"), "lines\na\nb\n");
  EXPECT_EQ(talk.end(), "");
  EXPECT_EQ(talk.closed(), CloseReason::kPeerClosed);
}

// Frames of nothing between frames of something: no matter how many there are in all.
TEST(CodecMistakes, FramesOfNothingAreNoneWhileBytesAreConsumed) {
  const auto twice = [](DecodeState& state, std::string_view in, bool ended, size_t max) -> Frame {
    if (!in.empty() && std::exchange(state.flags, 1 - state.flags) == 0) return {Kind::kRequest};
    return first_codec(state, in, ended, max);
  };
  for (const Ordering ordering : {Ordering::kSerial, Ordering::kPipelined}) {
    Conversation talk(scripted({.decode = twice}), reply_to, {.ordering = ordering});
    std::string said, expected;
    for (int i = 0; i < 100; ++i) said += "a\n", expected += "\na\n";
    EXPECT_EQ(talk.say(said), expected);
    EXPECT_FALSE(talk.closed());
  }
}

TEST(CodecMistakes, OfDecodeRequestsEndTheConnectionBehindTheFirstReply) {
  using Found = std::span<DecodedRequest>;
  const auto one = [](std::string_view payload, const char* end) {
    return DecodedRequest{payload, end, {}, 0};
  };
  static const std::string elsewhere = "elsewhere";
  const std::vector<std::function<size_t(std::string_view, Found)>> mistakes = {
      [](std::string_view, Found) -> size_t { throw std::runtime_error("bad"); },
      [](std::string_view, Found into) -> size_t { return into.size() + 1; },
      [&](std::string_view in, Found into) -> size_t {
        into[0] = one(in, in.data() + in.size() + 1);  // ends behind the input
        return 1;
      },
      [&](std::string_view in, Found into) -> size_t {
        into[0] = one(in.substr(0, 0), in.data());  // consumes nothing
        return 1;
      },
      [&](std::string_view in, Found into) -> size_t {
        into[0] = one(in.substr(0, 1), in.data() + 4);
        into[1] = one(in.substr(0, 1), in.data() + 2);  // ends before its beginning
        return 2;
      },
      [&](std::string_view in, Found into) -> size_t {
        into[0] = one(in.substr(1, 2), in.data() + 2);  // behind its end
        return 1;
      },
      [&](std::string_view in, Found into) -> size_t {
        into[0] = one(elsewhere, in.data() + 2);
        return 1;
      },
      [&](std::string_view in, Found into) -> size_t {
        into[0] = one({}, nullptr);
        into[1] = one(in.substr(0, 1), in.data() + 2);
        return 2;
      },
  };
  for (size_t i = 0; i < mistakes.size(); ++i) {
    Conversation talk(scripted({.decode_requests = mistakes[i]}), reply_to);
    EXPECT_EQ(talk.say("a\nb\nc\nd\n"), "a\n") << i;
    expect_codec_error(talk, std::to_string(i));
  }
}

Envelope overfilled(uint8_t head_bytes, uint8_t tail_bytes) {
  Envelope envelope;
  envelope.head_bytes = head_bytes;
  envelope.tail_bytes = tail_bytes;
  return envelope;
}

TEST(CodecMistakes, OfEnvelopesSendNothing) {
  const std::vector<std::function<Envelope(size_t)>> mistakes = {
      [](size_t) { return overfilled(200, 0); },
      [](size_t) { return overfilled(17, 0); },
      [](size_t) { return overfilled(0, 9); },
      [](size_t) { return overfilled(255, 255); },
      [](size_t) -> Envelope { throw std::runtime_error("bad"); },
  };
  for (size_t i = 0; i < mistakes.size(); ++i) {
    for (const bool fixed : {false, true}) {
      for (const std::string request : {"small", "large", "huge", "error", "busy"}) {
        for (const Ordering ordering : {Ordering::kSerial, Ordering::kPipelined}) {
          const std::string name = std::to_string(i) + " " + request;
          Conversation talk(scripted({.envelope = mistakes[i], .has_fixed_envelope = fixed}),
                            reply_to, {.ordering = ordering});
          EXPECT_EQ(talk.say(request + "\na\n"), "") << name;
          EXPECT_EQ(talk.stats().replies, 0u) << name;
          expect_codec_error(talk, name);
        }
      }
    }
  }
}

TEST(CodecMistakes, OfAnEnvelopeComeBehindTheRepliesBefore) {
  const auto envelope = [](size_t bytes) {
    return bytes == 3 ? overfilled(200, 0) : lines()->envelope(bytes);
  };
  Conversation talk(scripted({.envelope = envelope}), reply_to);
  EXPECT_EQ(talk.say("a\nb\nbad\nc\n"), "a\nb\n");
  expect_codec_error(talk, "serial");

  std::vector<Reply> kept;
  Conversation later(scripted({.envelope = envelope}),
                     [&](const Request&, Reply reply) { kept.push_back(std::move(reply)); },
                     {.ordering = Ordering::kPipelined});
  EXPECT_EQ(later.say("a\nb\nbad\nc\n"), "");
  ASSERT_EQ(kept.size(), 4u);
  for (size_t i = kept.size(); i-- > 0;) std::move(kept[i]).send(i == 2 ? "bad" : "good");
  EXPECT_EQ(later.hear(), "good\ngood\n");
  expect_codec_error(later, "pipelined");
}

TEST(CodecMistakes, OfErrorRepliesAndLastWords) {
  const auto error_reply = [](const FailedRequest& failed) -> ErrorReply {
    if (failed.failure == Failure::kBusy) throw 7;
    throw std::runtime_error("bad");
  };
  const auto last_words = [](CloseReason) -> std::string { throw std::runtime_error("bad"); };
  const auto codec = scripted({.error_reply = error_reply, .last_words = last_words});
  for (const std::string request : {"error", "busy"}) {
    Conversation talk(codec, reply_to);
    EXPECT_EQ(talk.say("a\n" + request + "\nb\n"), "a\n");
    expect_codec_error(talk, request);
  }
  Conversation drained(codec, reply_to);
  EXPECT_EQ(drained.say("a\n"), "a\n");
  EXPECT_EQ(drained.drain(), "");
  expect_codec_error(drained, "last words");
  // A client that is told why its line was refused.
  Conversation refused(codec, reply_to, {.limits = {.frame_bytes_max = 4}});
  EXPECT_EQ(refused.say("toolong\n"), "");
  expect_codec_error(refused, "refused");
}

TEST(CodecMistakes, ACodecThatAnAnswerHasSwitchedToIsWatchedLikewise) {
  const auto throws = [](DecodeState&, std::string_view in, bool ended, size_t) -> Frame {
    if (in.empty()) return {ended ? Kind::kEnd : Kind::kIncomplete};
    throw std::runtime_error("bad");
  };
  for (const bool encodes : {false, true}) {
    const auto next = encodes ? scripted({.envelope = [](size_t) { return overfilled(200, 0); }})
                              : scripted({.decode = throws});
    Conversation talk(lines(), [&](const Request& request) -> Answer {
      if (request.text() == "switch") return Answer("ok").then(next);
      return request.own();
    });
    EXPECT_EQ(talk.say("a\nswitch\nb\nc\n"), "a\nok\n");
    expect_codec_error(talk, encodes ? "envelope" : "decode");
  }
}

TEST(CodecMistakes, ACodecThatFindsNoFrameGathersNoMoreThanTheLimit) {
  const auto never = [](DecodeState&, std::string_view, bool ended, size_t) -> Frame {
    return {ended ? Kind::kEnd : Kind::kIncomplete};
  };
  for (const size_t frame_bytes_max : {size_t{64}, size_t{200'000}}) {
    Conversation talk(scripted({.decode = never}), reply_to,
                      {.limits = {.frame_bytes_max = frame_bytes_max}});
    const uint64_t before = talk.stats().buffer_bytes_peak;
    size_t said = 0;
    for (; said <= (1u << 20) && talk.stats().partial_requests_dropped == 0; said += 10'000) {
      talk.say(std::string(10'000, 'x'));
    }
    EXPECT_GT(said, frame_bytes_max);
    EXPECT_LE(said, frame_bytes_max + 150'000);
    EXPECT_LE(talk.stats().buffer_bytes_peak - before, 4 * (frame_bytes_max + (64u << 10)));
    expect_codec_error(talk, "never");
  }
}

// As much as may be around a request: what a codec may need to find its frame.
TEST(CodecMistakes, AFrameMayBeLongerThanItsRequest) {
  const auto padded = [](DecodeState&, std::string_view in, bool ended, size_t) -> Frame {
    if (in.size() < 60'000) return {ended ? Kind::kEnd : Kind::kIncomplete};
    return {Kind::kRequest, 60'000, in.substr(59'999, 1)};
  };
  Conversation talk(scripted({.decode = padded}), reply_to, {.limits = {.frame_bytes_max = 1}});
  std::string heard;
  for (int i = 0; i < 6; ++i) heard += talk.say(std::string(20'000, 'x'));
  EXPECT_EQ(heard, "x\nx\n");
}

// All that has been read ahead at once: the codec finds a frame that it should have refused.
TEST(CodecMistakes, AFrameOverTheLimitIsNoRequest) {
  std::optional<Reply> kept;
  Conversation talk(scripted({.decode = first_codec}),
                    [&](const Request&, Reply reply) { kept.emplace(std::move(reply)); },
                    {.limits = {.frame_bytes_max = 64, .read_ahead_bytes_max = 1 << 20}});
  EXPECT_EQ(talk.say("a\n" + std::string(300'000, 'x') + "\nb\n"), "");
  std::move(*kept).send("a");
  EXPECT_EQ(talk.hear(), "a\n");
  expect_codec_error(talk, "long");
}

}  // namespace
}}  // namespace trireme
