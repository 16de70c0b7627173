// Goal: the levels of the API - answer, later answer, failure - and the order of replies, serial
// and pipelined. Method: testing::Conversation, one connection without a socket, run by the test's
// own thread.
#include "trireme/testing/conversation.h"

#include <gtest/gtest.h>

#include <map>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

namespace trireme { inline namespace v0 { namespace {

using testing::Conversation;

std::string upper(const Request& request) {
  std::string text = request.own();
  for (char& byte : text) byte = static_cast<char>(std::toupper(byte));
  return text;
}

// Keeps every Reply by the text of its request.
struct Desk {
  std::map<std::string, Reply> replies;
  std::vector<std::string> order;

  auto handler() {
    return [this](const Request& request, Reply reply) {
      order.push_back(request.own());
      replies.emplace(request.own(), std::move(reply));
    };
  }
  void answer(const std::string& request, Answer answer) {
    std::move(replies.at(request)).send(std::move(answer));
    replies.erase(request);
  }
};

ListenOptions pipelined(uint32_t in_flight_max = 64) {
  ListenOptions options;
  options.ordering = Ordering::kPipelined;
  options.limits.in_flight_max = in_flight_max;
  return options;
}

TEST(Conversation, AHandlerAnswersWithAString) {
  Conversation talk(lines(), upper);
  EXPECT_EQ(talk.say("hello\n"), "HELLO\n");
  EXPECT_EQ(talk.say("a\nb\r\n\nc"), "A\nB\n\n");
  EXPECT_EQ(talk.say("d\n"), "CD\n");
  EXPECT_FALSE(talk.closed());
  const Stats stats = talk.stats();
  EXPECT_EQ(stats.requests, 5u);
  EXPECT_EQ(stats.replies, 5u);
  EXPECT_EQ(stats.accepted, 1u);
  EXPECT_EQ(stats.live, 1u);
  EXPECT_EQ(stats.bytes_in, 15u);
  EXPECT_EQ(stats.bytes_out, 14u);
}

TEST(Conversation, AnswersMayBeViewsOfTheRequestOrLiterals) {
  Conversation talk(lines(), [](const Request& request) -> Answer {
    if (request.text() == "literal") return "text";
    return request.text();
  });
  EXPECT_EQ(talk.say("borrowed\nliteral\n"), "borrowed\ntext\n");
}

TEST(Conversation, LargeAnswersArriveWhole) {
  for (const size_t bytes : {8191, 8192, 8193, 65'535, 65'536, 65'537, 1'000'000}) {
    Conversation talk(lines(), [bytes](const Request&) { return std::string(bytes, 'x'); });
    EXPECT_EQ(talk.say("a\nb\n"), std::string(bytes, 'x') + "\n" + std::string(bytes, 'x') + "\n");
    EXPECT_EQ(talk.end(), "");
    EXPECT_EQ(talk.closed(), CloseReason::kPeerClosed);
  }
}

TEST(Conversation, ManyRequestsInOnePiece) {
  Conversation talk(lines(), upper);
  std::string said, wanted;
  for (int i = 0; i < 5'000; ++i) {
    said += "r" + std::to_string(i) + "\n";
    wanted += "R" + std::to_string(i) + "\n";
  }
  EXPECT_EQ(talk.say(said), wanted);
}

TEST(Conversation, ByteByByteTheAnswersAreTheSame) {
  Conversation talk(lines(), upper);
  std::string heard;
  for (const char byte : std::string("abc\r\n\nlonger line\n")) heard += talk.say({&byte, 1});
  EXPECT_EQ(heard, "ABC\n\nLONGER LINE\n");
}

TEST(Conversation, WithBytesWhatArrivesIsARequest) {
  Conversation talk(bytes(), [](const Request& request) { return Answer(request.text()); });
  EXPECT_EQ(talk.say("no newline"), "no newline");
  EXPECT_EQ(talk.say(std::string("\0\n", 2)), std::string("\0\n", 2));
}

TEST(Conversation, FailuresAreTheCodecsWords) {
  Conversation talk(lines(), [](const Request& request) -> Answer {
    if (request.text() == "throw") throw std::runtime_error("secret");
    if (request.text() == "throw int") throw 5;
    if (request.text() == "busy") return busy();
    if (request.text() == "error") return error("no such thing");
    if (request.text() == "none") return no_answer();
    return "ok";
  });
  EXPECT_EQ(talk.say("throw\nx\n"), "ERR internal\nok\n");
  EXPECT_EQ(talk.say("throw int\n"), "ERR internal\n");
  EXPECT_EQ(talk.say("busy\n"), "BUSY\n");
  EXPECT_EQ(talk.say("error\n"), "ERR no such thing\n");
  EXPECT_EQ(talk.say("none\nx\n"), "ok\n");
  EXPECT_FALSE(talk.closed());
  const Stats stats = talk.stats();
  EXPECT_EQ(stats.handler_exceptions, 2u);
  EXPECT_EQ(stats.unanswered, 1u);
  EXPECT_EQ(stats.replies, 6u);
  EXPECT_EQ(stats.requests, 7u);
}

TEST(Conversation, AnErrorWithoutWordsCloses) {
  Conversation talk(bytes(), [](const Request&) -> Answer { return error("sentence"); });
  EXPECT_EQ(talk.say("x"), "");
  EXPECT_EQ(talk.end(), "");
  EXPECT_EQ(talk.closed(), CloseReason::kProtocolError);
}

TEST(Conversation, AReplyMayBeSentInsideTheHandler) {
  Conversation talk(lines(), [](const Request& request, Reply reply) {
    std::move(reply).send(request.text());  // copied before send returns
  });
  EXPECT_EQ(talk.say("a\nb\n"), "a\nb\n");
}

// Large enough to be sent from where it is, and still not before its turn.
TEST(Conversation, ALargeAnswerWaitsForTheReplyInFrontOfIt) {
  std::optional<Reply> kept;
  const std::string large(600, 'x');
  ListenOptions options;
  options.ordering = Ordering::kPipelined;
  Conversation talk(
      lines(),
      [&](const Request& request, Reply reply) {
        if (request.text() == "keep") {
          kept.emplace(std::move(reply));
        } else {
          std::move(reply).send(large);
        }
      },
      options);
  EXPECT_EQ(talk.say("keep\n"), "");
  EXPECT_EQ(talk.say("go\n"), "");
  std::move(*kept).send("kept");
  EXPECT_EQ(talk.say("go\n"), "kept\n" + large + "\n" + large + "\n");
}

TEST(Conversation, ADroppedReplyIsAnErrorOnce) {
  Conversation talk(lines(), [](const Request& request, Reply reply) {
    if (request.text() == "throw") throw std::runtime_error("with the reply in hand");
    if (request.text() == "moved") Reply(std::move(reply));
  });
  EXPECT_EQ(talk.say("drop\n"), "ERR internal\n");
  EXPECT_EQ(talk.say("moved\n"), "ERR internal\n");
  EXPECT_EQ(talk.say("throw\n"), "ERR internal\n");
  EXPECT_FALSE(talk.closed());
  EXPECT_EQ(talk.stats().replies, 3u);
}

TEST(Conversation, AReplyThatIsAssignedOverAnswersItsRequest) {
  Desk desk;
  Conversation talk(lines(), desk.handler(), pipelined());
  EXPECT_EQ(talk.say("a\nb\n"), "");
  desk.replies.at("a") = std::move(desk.replies.at("b"));
  EXPECT_EQ(talk.hear(), "ERR internal\n");
  desk.answer("a", "second");
  EXPECT_EQ(talk.hear(), "second\n");
}

TEST(Conversation, SerialStartsTheNextRequestAfterTheReply) {
  Desk desk;
  Conversation talk(lines(), desk.handler());
  EXPECT_EQ(talk.say("1\n2\n3\n"), "");
  EXPECT_EQ(desk.order, (std::vector<std::string>{"1"}));
  desk.answer("1", "one");
  EXPECT_EQ(talk.hear(), "one\n");
  EXPECT_EQ(desk.order.size(), 2u);
  EXPECT_EQ(talk.say("4\n"), "");
  desk.answer("2", "two");
  EXPECT_EQ(talk.hear(), "two\n");
  desk.answer("3", no_answer());
  EXPECT_EQ(talk.hear(), "");
  desk.answer("4", busy());
  EXPECT_EQ(talk.hear(), "BUSY\n");
}

TEST(Conversation, PipelinedRepliesLeaveInRequestOrder) {
  Desk desk;
  Conversation talk(lines(), desk.handler(), pipelined());
  EXPECT_EQ(talk.say("1\n2\n3\n4\n5\n"), "");
  EXPECT_EQ(desk.order.size(), 5u);
  desk.answer("3", "three");
  desk.answer("2", no_answer());
  desk.answer("5", error("five"));
  EXPECT_EQ(talk.hear(), "");
  desk.answer("1", "one");
  EXPECT_EQ(talk.hear(), "one\nthree\n");
  desk.answer("4", "four");
  EXPECT_EQ(talk.hear(), "four\nERR five\n");
  EXPECT_EQ(talk.stats().replies, 4u);
  EXPECT_EQ(talk.stats().unanswered, 1u);
}

// A long row of held replies leaves in pieces, between which others have their turn.
TEST(Conversation, PipelinedHeldRepliesLeaveOverSeveralTurns) {
  constexpr int kRequests = 2'000;
  for (const int seconds : {0, 1}) {
    Desk desk;
    ListenOptions options = pipelined(kRequests);
    options.handler_time_max = std::chrono::seconds(seconds);
    Conversation talk(lines(), desk.handler(), options);
    std::string said, wanted;
    for (int i = 0; i < kRequests; ++i) said += std::to_string(i) + "\n";
    wanted = said;
    EXPECT_EQ(talk.say(said), "");
    for (int i = kRequests - 1; i > 0; --i) desk.answer(std::to_string(i), std::to_string(i));
    EXPECT_EQ(talk.hear(), "");
    desk.answer("0", "0");
    const uint64_t turns = talk.stats().loop_turns;
    EXPECT_EQ(talk.hear(), wanted);
    EXPECT_GE(talk.stats().loop_turns - turns, kRequests / 256);
    EXPECT_EQ(talk.stats().replies, static_cast<uint64_t>(kRequests));
    EXPECT_EQ(talk.end(), "");
    EXPECT_EQ(talk.closed(), CloseReason::kPeerClosed);
  }
}

TEST(Conversation, PipelinedRefusedFramesKeepTheirPlace) {
  Desk desk;
  ListenOptions options = pipelined();
  options.limits.frame_bytes_max = 4;
  Conversation talk(lines(), desk.handler(), options);
  EXPECT_EQ(talk.say("1\ntoo long\n2\n"), "");
  EXPECT_EQ(desk.order, (std::vector<std::string>{"1", "2"}));
  desk.answer("2", "two");
  EXPECT_EQ(talk.hear(), "");
  desk.answer("1", "one");
  EXPECT_EQ(talk.hear(), "one\nERR the line is too long\ntwo\n");
}

TEST(Conversation, PipelinedStopsAtItsLimitAndGoesOn) {
  Desk desk;
  Conversation talk(lines(), desk.handler(), pipelined(2));
  EXPECT_EQ(talk.say("1\n2\n3\n4\n"), "");
  EXPECT_EQ(desk.order.size(), 2u);
  desk.answer("2", "two");  // held: it still counts
  EXPECT_EQ(talk.hear(), "");
  EXPECT_EQ(desk.order.size(), 2u);
  desk.answer("1", "one");
  EXPECT_EQ(talk.hear(), "one\ntwo\n");
  EXPECT_EQ(desk.order.size(), 4u);
  desk.answer("3", "three");
  desk.answer("4", "four");
  EXPECT_EQ(talk.hear(), "three\nfour\n");
}

TEST(Conversation, RepliesFromAnotherThread) {
  Desk desk;
  Conversation talk(lines(), desk.handler(), pipelined());
  std::string said, wanted;
  for (int i = 0; i < 60; ++i) {
    said += std::to_string(i) + "\n";
    wanted += "answer " + std::to_string(i) + "\n";
  }
  EXPECT_EQ(talk.say(said), "");
  std::thread other([&desk] {
    for (int i = 59; i >= 0; --i) {
      const std::string text = "answer " + std::to_string(i);
      desk.answer(std::to_string(i), std::string_view(text));  // a view: copied before send returns
    }
  });
  std::string heard;
  while (heard.size() < wanted.size()) heard += talk.hear();
  other.join();
  EXPECT_EQ(heard, wanted);
}

TEST(Conversation, OneRequestsHandlerMayAnswerAnother) {
  std::vector<Reply> waiting;
  Conversation talk(
      lines(),
      [&waiting](const Request& request, Reply reply) {
        if (request.text() == "wait") return waiting.push_back(std::move(reply));
        for (Reply& other : waiting) std::move(other).send("released");
        waiting.clear();
        std::move(reply).send("done");
      },
      pipelined());
  EXPECT_EQ(talk.say("wait\nwait\ngo\n"), "released\nreleased\ndone\n");
}

TEST(Conversation, TheLimitOfAFrameIsExact) {
  ListenOptions options;
  options.limits.frame_bytes_max = 5;
  Conversation talk(lines(), upper, options);
  EXPECT_EQ(talk.say("abcde\nabcde\r\nabcdef\nx\n"), "ABCDE\nABCDE\nERR the line is too long\nX\n");
  EXPECT_EQ(talk.say("abcdefg"), "ERR the line is too long\n");
  EXPECT_EQ(talk.say("still the same line"), "");
  EXPECT_EQ(talk.say("\nnext\n"), "NEXT\n");
  EXPECT_EQ(talk.stats().refused_frames, 2u);
  EXPECT_EQ(talk.stats().requests, 4u);
  EXPECT_FALSE(talk.closed());
}

TEST(Conversation, RequestsLargerThanTheReadBuffer) {
  Conversation talk(lines(), [](const Request& request) {
    return std::to_string(request.text().size()) + request.own().substr(0, 1);
  });
  EXPECT_EQ(talk.say(std::string(200'000, 'a') + "\n" + std::string(70'000, 'b') + "\nc\n"),
            "200000a\n70000b\n1c\n");
}

// A codec that its request switches on: every byte is a request, and its answer is in brackets.
class Brackets final : public Codec {
 public:
  Frame decode(DecodeState&, std::string_view input, bool ended, size_t) const override {
    if (input.empty()) return {.kind = ended ? Frame::Kind::kEnd : Frame::Kind::kIncomplete};
    if (input[0] == '!') return {.kind = Frame::Kind::kFatal, .consumed = 1, .payload = "never"};
    return {.kind = Frame::Kind::kRequest, .consumed = 1, .payload = input.substr(0, 1)};
  }
  Envelope envelope(size_t) const override {
    Envelope around;
    around.head[0] = '[';
    around.tail[0] = ']';
    around.head_bytes = around.tail_bytes = 1;
    return around;
  }
  ErrorReply error_reply(const FailedRequest& failed) const override {
    if (failed.failure == Failure::kBusy) return {.body = "B"};
    return {.body = "E:" + std::string(failed.sentence)};
  }
  std::string last_words(CloseReason reason) const override {
    return reason == CloseReason::kDrained ? "(bye)" : "";
  }
};

TEST(Conversation, ThenSwitchesTheCodecBehindTheAnswer) {
  Conversation talk(lines(), [](const Request& request) -> Answer {
    if (request.text() == "upgrade") return Answer("ok").then(std::make_shared<Brackets>());
    if (request.text() == "d") return Answer("back").then(lines());
    return Answer(request.text());
  });
  EXPECT_EQ(talk.say("a\nupgrade\nbcda\n"), "a\nok\n[b][c][back]a\n");
}

TEST(Conversation, AFatalFrameEndsTheConnectionAfterItsReply) {
  Conversation talk(std::make_shared<Brackets>(), upper);
  EXPECT_EQ(talk.say("ab!cd"), "[A][B][E:never]");
  EXPECT_EQ(talk.end(), "");
  EXPECT_EQ(talk.closed(), CloseReason::kProtocolError);
  EXPECT_EQ(talk.stats().refused_frames, 1u);
}

TEST(Conversation, CloseAfterSendsTheAnswerAndIgnoresTheRest) {
  Conversation talk(lines(), [](const Request& request) -> Answer {
    if (request.text() == "quit") return Answer("bye").close_after();
    return "ok";
  });
  EXPECT_EQ(talk.say("a\nquit\nb\n"), "ok\nbye\n");
  EXPECT_EQ(talk.say("c\n"), "");
  EXPECT_EQ(talk.end(), "");
  EXPECT_EQ(talk.closed(), CloseReason::kClosedByHandler);
  EXPECT_EQ(talk.stats().requests, 2u);
  EXPECT_EQ(talk.stats().slots_made, talk.stats().slots_gone);
}

}  // namespace
}}  // namespace trireme
