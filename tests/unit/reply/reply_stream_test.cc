// Goal: a streamed reply is framed by its codec: a head, each piece, an end; without an encoder, an
// envelope around the whole or around each piece. Method: conversations with codecs of each sort.
#include "trireme/reply_stream.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>

#include "trireme/codecs.h"
#include "trireme/testing/conversation.h"
#include "trireme/trireme.h"

namespace trireme { inline namespace v0 { namespace {

using testing::Conversation;

// Lines in; heads, pieces in brackets and an end out.
class BracketCodec final : public Codec {
 public:
  explicit BracketCodec(bool encodes) : encodes_(encodes) {}
  Frame decode(DecodeState& state, std::string_view input, bool ended,
               size_t frame_bytes_max) const override {
    return lines_->decode(state, input, ended, frame_bytes_max);
  }
  bool has_encoder() const override { return encodes_; }
  void encode(const OutgoingReply& reply, EncodedReply& into) const override {
    into.head = std::string(reply.head) + (reply.is_push ? "push:" : "whole:");
  }
  void encode_begin(const OutgoingReply& reply, EncodedReply& into) const override {
    into.head = (encodes_ ? std::string(reply.head) : std::string()) + "begin:";
    into.drops_body = reply.head == "no body ";
    if (reply.head == "throws ") throw 1;
  }
  void encode_chunk(const ReplyTag&, uint64_t bytes, EncodedReply& into) const override {
    into.head = std::to_string(bytes) + "[";
    into.tail = "]";
  }
  void encode_end(const ReplyTag&, EncodedReply& into) const override { into.tail = ":end"; }
  ErrorReply error_reply(const FailedRequest& failed) const override {
    return {.body = "error " + std::string(failed.sentence), .is_framed = true};
  }

 private:
  const std::shared_ptr<const Codec> lines_ = lines();
  const bool encodes_;
};

void stream_request(const Request& request, Reply reply) {
  const std::string head = request.text().starts_with("no") || request.text() == "throws"
                               ? request.own() + " "
                               : std::string("head ");
  ReplyStream stream = std::move(reply).stream(Answer("").with_head(head));
  EXPECT_EQ(stream.try_write("ab"), StreamResult::kQueued);
  EXPECT_EQ(stream.write("cde"), StreamResult::kQueued);
  stream.finish();
  EXPECT_EQ(stream.write("x"), StreamResult::kClosed);
}

TEST(ReplyStreams, AreFramedByTheCodecPieceByPiece) {
  for (const bool encodes : {true, false}) {
    Conversation talk(std::make_shared<BracketCodec>(encodes), stream_request);
    EXPECT_EQ(talk.say("x\n"), "head begin:2[ab]3[cde]:end") << encodes;
    EXPECT_EQ(talk.say("y\nz\n"), "head begin:2[ab]3[cde]:endhead begin:2[ab]3[cde]:end");
    if (encodes) {
      EXPECT_EQ(talk.say("no body\n"), "no body begin:");
    }
    EXPECT_EQ(talk.stats().replies, encodes ? 4u : 3u);
  }
}

TEST(ReplyStreams, OfACodecThatThrowsCostOneConnection) {
  Conversation talk(std::make_shared<BracketCodec>(true), stream_request);
  EXPECT_EQ(talk.say("throws\n"), "");
  EXPECT_EQ(talk.end(), "");
  EXPECT_EQ(talk.closed(), CloseReason::kCodecError);
}

TEST(ReplyStreams, StandInAnEnvelopeAsAWholeOrPieceByPiece) {
  Conversation whole(lines(), [](const Request& request, Reply reply) {
    ReplyStream stream = std::move(reply).stream();
    stream.write(request.own());
    stream.write("!");
    stream.finish();
  });
  EXPECT_EQ(whole.say("a\nb\n"), "a!\nb!\n");
  Conversation pieces(length_prefix({.width = 1}), [](const Request& request, Reply reply) {
    ReplyStream stream = std::move(reply).stream(Answer("").close_after());
    stream.write(request.own());
    stream.write("!");
    stream.finish();
  });
  EXPECT_EQ(pieces.say(std::string("\2ab\1c", 5)), std::string("\2ab\1!", 5));
  EXPECT_TRUE(pieces.ended());
  EXPECT_EQ(pieces.end(), "");
  EXPECT_EQ(pieces.closed(), CloseReason::kClosedByHandler);
}

TEST(ReplyStreams, OfUnorderedRepliesStandBesideOthers) {
  ReplyStream first, second;
  Conversation talk(length_prefix({.width = 1}),
                    [&](const Request& request, Reply reply) {
                      if (request.text() == "1") {
                        first = std::move(reply).stream();
                      } else if (request.text() == "2") {
                        second = std::move(reply).stream();
                      } else {
                        std::move(reply).send("whole");
                      }
                    },
                    {.ordering = Ordering::kUnordered});
  EXPECT_EQ(talk.say(std::string("\1"
                                 "1\1"
                                 "2\1"
                                 "3")),
            std::string("\5whole"));
  EXPECT_EQ(first.try_write("1a"), StreamResult::kQueued);
  EXPECT_EQ(second.try_write("2a"), StreamResult::kQueued);
  EXPECT_EQ(talk.peer().push("pushed"), SendResult::kQueued);
  EXPECT_EQ(first.try_write("1b"), StreamResult::kQueued);
  first.finish();
  second.finish();
  EXPECT_EQ(talk.hear(),
            "\2"
            "1a\2"
            "2a\6pushed\2"
            "1b");
  EXPECT_EQ(talk.stats().replies, 3u);
}

// Where nothing could turn the loop meanwhile, write() does not wait.
TEST(ReplyStreams, DoNotWaitWithoutAPermit) {
  StreamResult last = StreamResult::kQueued;
  Conversation talk(bytes(),
                    [&](const Request&, Reply reply) {
                      ReplyStream stream = std::move(reply).stream();
                      for (int i = 0; i < 10 && last == StreamResult::kQueued; ++i) {
                        last = stream.write(std::string(30'000, 'x'));
                      }
                      stream.finish();
                    },
                    {.limits = {.write_bytes_high = 100'000, .write_bytes_low = 50'000}});
  EXPECT_EQ(talk.say("x").size(), 4u * 30'000);
  EXPECT_EQ(last, StreamResult::kFull);
}

TEST(ReplyStreams, AreEndedWithTheirConnection) {
  ReplyStream kept;
  EXPECT_EQ(kept.write("x"), StreamResult::kClosed) << "never made";
  {
    Conversation talk(bytes(), [&](const Request&, Reply reply) {
      kept = std::move(reply).stream();
      EXPECT_EQ(kept.cancelled().reason(), CancelReason::kNone);
    });
    EXPECT_EQ(talk.say("x"), "");
    EXPECT_EQ(kept.try_write("a"), StreamResult::kQueued);
    EXPECT_EQ(talk.hear(), "a");
    talk.reset();
    EXPECT_EQ(kept.try_write("b"), StreamResult::kClosed);
    EXPECT_EQ(kept.cancelled().reason(), CancelReason::kPeerGone);
    EXPECT_FALSE(kept.peer().connected());
  }
  kept = ReplyStream();
}

}  // namespace
}}  // namespace trireme
