// Goal: what a decoder of a connection finds, attaches and answers by itself reaches handler and
// client, in order and whole, wherever the stream is cut; replies know their request; what waits is
// bounded and charged. Method: TalkCodec, which does all of it; testing::Conversation.
#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "support/talk_codec.h"
#include "trireme/testing/conversation.h"

namespace trireme { inline namespace v0 { namespace {

using support::talk_codec;
using support::TalkCodec;
using testing::Conversation;
using namespace std::chrono_literals;

Answer talk_back(const Request& request) {
  const std::string_view text = request.text();
  if (text == "error") return error("it broke", 7);
  if (text == "busy") return busy();
  if (text == "throw") throw 1;
  if (text == "head") return Answer("body").with_head("h");
  if (text == "no body") return Answer("body").with_head("no body");
  if (text == "goodbye") return Answer("body").with_head("goodbye");
  if (text == "close") return Answer("body").close_after();
  if (text == "none") return no_answer();
  return request.text();
}

TEST(ObjectDecoding, RequestsComeWithTheirNumbersAndGoWithThem) {
  Conversation talk(talk_codec(), talk_back);
  EXPECT_EQ(talk.say("#1 one\n#2 two\n#3 \n"), "#1 one\n#2 two\n#3 \n");
  EXPECT_EQ(talk.say("~4 gdmmn\n"), "#4 fello\n") << "its bits were turned in place";
  EXPECT_EQ(talk.say("#5 head\n#6 no body\n#7 none\n#8 x\n"), "#5 [h] body\n#6 [no body] \n#8 x\n");
  EXPECT_EQ(talk.end(), "");
  EXPECT_EQ(talk.closed(), CloseReason::kPeerClosed);
  const Stats stats = talk.stats();
  EXPECT_EQ(stats.requests, 8u);
  EXPECT_EQ(stats.replies, 7u);
  EXPECT_EQ(stats.unanswered, 1u);
}

TEST(ObjectDecoding, AFailedRequestIsToldApart) {
  Conversation talk(talk_codec(), talk_back, {.limits = {.frame_bytes_max = 40}});
  EXPECT_EQ(talk.say("#1 error\n#2 busy\n#3 throw\nwhat\n"),
            "-1 handler 7 it broke\n-2 busy 0 busy\n-3 internal 0 internal\n"
            "-0 refused 42 not understood\n");
  EXPECT_EQ(talk.say("#5 " + std::string(50, 'x') + "\n#6 x\n"), "-0 too long 413 too long\n");
  talk.end();
  EXPECT_EQ(talk.closed(), CloseReason::kProtocolError);
}

TEST(ObjectDecoding, BytesAreOwnedByTheRequestWhereTheyCameInParts) {
  Conversation talk(talk_codec(), talk_back);
  EXPECT_EQ(talk.say(">1\n"), "go 1\n");
  EXPECT_EQ(talk.say(">large\n>"), "");
  EXPECT_EQ(talk.say(" body of many bytes, more than a string has in itself\n.\n#2 x\n"),
            "#1 large body of many bytes, more than a string has in itself\n#2 x\n");
  EXPECT_EQ(talk.say(">3\n.\n"), "go 3\n#3 \n") << "no bytes at all";
}

TEST(ObjectDecoding, APartThatIsMissingAtTheEndCounts) {
  Conversation talk(talk_codec(), talk_back);
  EXPECT_EQ(talk.say(">1\n>a\n"), "go 1\n");
  talk.end();
  EXPECT_EQ(talk.closed(), CloseReason::kPeerClosed);
  EXPECT_EQ(talk.stats().partial_requests_dropped, 1u);
}

const std::string kAllSorts =
    "#1 one\n~2 ab c\nping x\n>3\n>first\n>second\n.\nwhat\n#4 error\nping yy\n#5 head\nbye\n#6 "
    "x\n";
const std::string kAllReplies =
    "#1 one\n#2 `c!b\npong x\ngo 3\n#3 firstsecond\n-0 refused 42 not understood\n"
    "-4 handler 7 it broke\npong yy\n#5 [h] body\nbye\n";

TEST(ObjectDecoding, TheRepliesAreTheSameWhereverTheStreamIsCut) {
  for (const auto ahead : {TalkCodec::Ahead::kNo, TalkCodec::Ahead::kYes}) {
    for (const Ordering ordering : {Ordering::kSerial, Ordering::kPipelined}) {
      for (size_t at = 0; at <= kAllSorts.size(); ++at) {
        Conversation talk(talk_codec(ahead), talk_back, {.ordering = ordering});
        std::string heard = talk.say(kAllSorts.substr(0, at));
        heard += talk.say(kAllSorts.substr(at));
        EXPECT_EQ(heard, kAllReplies) << at;
        talk.end();
        EXPECT_EQ(talk.closed(), CloseReason::kPeerClosed) << at;
      }
    }
  }
}

TEST(ObjectDecoding, GoodbyeOfTheClientEndsTheConnectionBehindItsReplies) {
  Conversation talk(talk_codec(), talk_back);
  EXPECT_EQ(talk.say("#1 a\nbye\n"), "#1 a\nbye\n");
  EXPECT_EQ(talk.closed(), std::nullopt) << "FIN was sent, and the client's is awaited";
  talk.end();
  EXPECT_EQ(talk.closed(), CloseReason::kPeerClosed);
}

TEST(ObjectDecoding, AnEncoderMayEndTheConnection) {
  for (const std::string text : {"goodbye", "close"}) {
    Conversation talk(talk_codec(), talk_back);
    const std::string reply = text == "close" ? "#1 (last) body\n" : "#1 [goodbye] body\n";
    EXPECT_EQ(talk.say("#1 " + text + "\n#2 x\n"), reply + "* closed by handler\n");
    talk.end();
    EXPECT_EQ(talk.closed(), CloseReason::kClosedByHandler);
  }
}

TEST(ObjectDecoding, AHandlerGetsTheViewTyped) {
  Conversation talk(talk_codec(), [](const Request& request) -> Answer {
    if (request.view() == nullptr) {
      EXPECT_THROW(request.as<support::Words>(), std::bad_cast);
      return "no view";
    }
    EXPECT_EQ(&request.as<RequestView>(), request.view());
    const auto& words = request.as<support::Words>();
    return std::to_string(words.count()) + ":" + std::string(words.word(words.count() - 1));
  });
  EXPECT_EQ(talk.say("#1 a bc def\n#2 xyz\n"), "#1 4:def\n#2 2:xyz\n");
  EXPECT_EQ(talk.say(">3\n>a b\n.\n"), "go 3\n#3 no view\n");
}

TEST(ObjectDecoding, AHandlerGetsTheTagOfItsRequest) {
  const auto tell = [](const Request& request) -> Answer {
    return std::to_string(request.tag().as<uint64_t>());
  };
  Conversation talk(talk_codec(), tell);
  EXPECT_EQ(talk.say("#7 a\n#9 b\n"), "#7 7\n#9 9\n");
  Conversation plain(trireme::lines(), tell);
  EXPECT_EQ(plain.say("a\n"), "0\n") << "zeros: its codec leaves none";
}

// Replies that the test gives itself.
struct KeptReplies {
  std::vector<std::pair<std::string, Reply>> all{};
  std::function<void(const Request&, Reply)> handler() {
    return [this](const Request& request, Reply reply) {
      all.emplace_back(request.own(), std::move(reply));
    };
  }
  void answer(size_t index) { std::move(all[index].second).send("<" + all[index].first + ">"); }
};

TEST(ObjectDecoding, PingsAreAnsweredWhileAReplyIsDue) {
  KeptReplies kept;
  Conversation talk(talk_codec(TalkCodec::Ahead::kYes), kept.handler());
  EXPECT_EQ(talk.say("#1 a\nping 1\n"), "pong 1\n");
  EXPECT_EQ(talk.say("#2 b c\n>3\n>x\nwhat\n"), "");
  EXPECT_EQ(talk.say(".\nwhat\nping 2\n#4 d\nbye\n"), "pong 2\n");
  ASSERT_EQ(kept.all.size(), 1u) << "requests wait for their turn";
  kept.answer(0);
  EXPECT_EQ(talk.hear(), "#1 <a>\n");
  ASSERT_EQ(kept.all.size(), 2u);
  kept.answer(1);
  EXPECT_EQ(talk.hear(), "#2 <b c>\ngo 3\n");
  ASSERT_EQ(kept.all.size(), 3u);
  kept.answer(2);
  EXPECT_EQ(talk.hear(), "#3 <xhat>\n-0 refused 42 not understood\n");
  ASSERT_EQ(kept.all.size(), 4u);
  kept.answer(3);
  EXPECT_EQ(talk.hear(), "#4 <d>\nbye\n");
  talk.end();
  EXPECT_EQ(talk.closed(), CloseReason::kPeerClosed);
}

TEST(ObjectDecoding, WithoutDecodingAheadPingsWait) {
  KeptReplies kept;
  Conversation talk(talk_codec(), kept.handler());
  EXPECT_EQ(talk.say("#1 a\nping 1\n"), "");
  kept.answer(0);
  EXPECT_EQ(talk.hear(), "#1 <a>\npong 1\n");
}

TEST(ObjectDecoding, WhatWaitsDecodedIsBounded) {
  KeptReplies kept;
  Conversation talk(talk_codec(TalkCodec::Ahead::kYes), kept.handler());
  talk.say("#0 first\n");
  std::string requests;
  for (int i = 1; i <= 40; ++i) requests += "#" + std::to_string(i) + " x\n";
  EXPECT_EQ(talk.say(requests + "ping late\n"), "") << "16 requests wait in front of it";
  for (size_t i = 0; i <= 40; ++i) {
    ASSERT_EQ(kept.all.size(), i + 1);
    kept.answer(i);
    talk.hear();
  }
  EXPECT_EQ(talk.stats().replies, 41u);
  talk.end();
  EXPECT_EQ(talk.closed(), CloseReason::kPeerClosed);
}

TEST(ObjectDecoding, ADrainAnswersWhatWaitsDecoded) {
  KeptReplies kept;
  Conversation talk(talk_codec(TalkCodec::Ahead::kYes), kept.handler());
  EXPECT_EQ(talk.say("#1 a\n#2 b\n#3 c\n"), "");
  EXPECT_EQ(talk.drain(), "");
  for (size_t i = 0; i < 3; ++i) {
    ASSERT_EQ(kept.all.size(), i + 1);
    kept.answer(i);
    const std::string number = std::to_string(i + 1), text(1, static_cast<char>('a' + i));
    const std::string last = i == 2 ? "(last) " : "";
    EXPECT_EQ(talk.hear(),
              "#" + number + " " + last + "<" + text + ">\n" + (i == 2 ? "* drained\n" : ""));
  }
  talk.end();
  EXPECT_EQ(talk.closed(), CloseReason::kDrained);
  EXPECT_EQ(talk.stats().partial_requests_dropped, 0u);
}

TEST(ObjectDecoding, AClientThatVanishesLeavesNothingBehind) {
  for (const bool resets : {false, true}) {
    KeptReplies kept;
    Conversation talk(talk_codec(TalkCodec::Ahead::kYes), kept.handler());
    talk.say("#1 a\n#2 b\n>3\n>part\n");
    resets ? talk.reset() : static_cast<void>(talk.end());
    for (size_t i = 0; i < kept.all.size(); ++i) {
      kept.answer(i);
      talk.hear();
    }
    EXPECT_EQ(talk.closed(), resets ? CloseReason::kReset : CloseReason::kPeerClosed);
    EXPECT_EQ(talk.stats().slots_made, talk.stats().slots_gone);
  }
}

TEST(ObjectDecoding, AnAnswerSwitchesToADecoderAndBack) {
  const auto handler = [](const Request& request) -> Answer {
    if (request.text() == "talk") return Answer("ok").then(talk_codec());
    if (request.text() == "lines") return Answer("ok").then(lines());
    if (request.text() == "ahead") return Answer("ok").then(talk_codec(TalkCodec::Ahead::kYes));
    return request.text();
  };
  Conversation talk(lines(), handler);
  EXPECT_EQ(talk.say("a\ntalk\n#1 b\nping x\n>2\n>c\n.\n#3 lines\nd\ntalk\n#4 e\n"),
            "a\nok\n#1 b\npong x\ngo 2\n#2 c\n#3 ok\nd\nok\n#4 e\n");
  // A codec that decodes ahead stays.
  EXPECT_EQ(talk.say("#5 ahead\n#6 lines\n#7 x\n"),
            "#5 ok\n-6 internal 0 internal\n* closed by handler\n");
}

TEST(ObjectDecoding, PushesAreFramedAsTheConnectionSpeaks) {
  Peer peer;
  Conversation talk(lines(), [&](const Request& request) -> Answer {
    peer = request.peer();
    if (request.text() == "talk") return Answer("ok").then(talk_codec());
    if (request.text() == "push") {
      peer.push("first");
      peer.push(std::string(100'000, 'x'));
      peer.push(error("oops", 3));
    }
    return request.text();
  });
  EXPECT_EQ(talk.say("push\n"), "first\n" + std::string(100'000, 'x') + "\nERR oops\npush\n");
  EXPECT_EQ(talk.say("talk\n#1 push\n"),
            "ok\n! first\n! " + std::string(100'000, 'x') + "\n-0 handler 3 oops\n#1 push\n");
  EXPECT_EQ(peer.push("later", Overflow::kLatest), SendResult::kQueued);
  EXPECT_EQ(peer.push(no_answer()), SendResult::kQueued);
  EXPECT_EQ(talk.hear(), "! later\n");
  talk.end();
  EXPECT_EQ(peer.push("gone"), SendResult::kClosed);
}

TEST(ObjectDecoding, LastWordsSayWhyAConnectionEnds) {
  const Limits limits{.idle_time_max = 10s, .first_byte_time_max = 5s, .request_time_max = 3s};
  const auto one = [&] {
    return std::make_unique<Conversation>(talk_codec(), talk_back, ListenOptions{.limits = limits});
  };
  const auto silent = one();
  EXPECT_EQ(silent->advance(6s), "* silent timeout\n");
  const auto idle = one();
  idle->say("#1 a\n");
  EXPECT_EQ(idle->advance(11s), "* idle timeout\n");
  const auto slow = one();
  EXPECT_EQ(slow->say("#1 a"), "");
  EXPECT_EQ(slow->advance(4s), "* request timeout\n");
  slow->end();
  EXPECT_EQ(slow->closed(), CloseReason::kRequestTimeout);
  const auto in_body = one();
  EXPECT_EQ(in_body->say(">1\n"), "go 1\n");
  EXPECT_EQ(in_body->advance(4s), "* request timeout\n") << "no byte of it waits";
  const auto drained = one();
  EXPECT_EQ(drained->drain(), "* drained\n");
}

}  // namespace
}}  // namespace trireme
