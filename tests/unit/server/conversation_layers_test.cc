// Goal: transport layers stand between the socket and the codec in every phase of a connection:
// handshake, traffic, both half-closes, drain, each clock. Nobody above knows before they are
// through. Method: testing::Conversation with a layer that does all that layers may, with the PROXY
// protocol, and with both; time moves by advance() only.
#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "framing/proxy_layer.h"
#include "support/knock_layer.h"
#include "support/lines_codec.h"
#include "trireme/testing/conversation.h"

namespace trireme { inline namespace v0 { namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using support::kBye;
using support::kKnock;
using support::kWelcome;
using support::turned;
using testing::Conversation;

const std::string kHeader = "PROXY TCP4 192.0.2.33 198.51.100.7 56324 443\r\n";

Answer answer(const Request& request) {
  if (request.text() == "PEER") return request.peer().address();
  if (request.text() == "LAYERS") return request.peer().layers().text();
  if (request.text() == "push") request.peer().send("pushed\n");
  return request.own();
}

ListenOptions behind(std::vector<std::shared_ptr<const LayerFactory>> layers) {
  ListenOptions options;
  options.layers = std::move(layers);
  return options;
}
ListenOptions behind_knock() { return behind({std::make_shared<support::KnockFactory>()}); }
ListenOptions behind_proxy() { return behind({std::make_shared<ProxyLayerFactory>()}); }

void expect_no_debts(const Conversation& talk) {
  const Stats stats = talk.stats();
  EXPECT_EQ(stats.slots_made, stats.slots_gone);
  EXPECT_EQ(stats.timers_made, stats.timers_gone);
  EXPECT_EQ(stats.live, 0u);
  EXPECT_EQ(stats.closed, 1u);
}

// Takes part in the life of its connection, as far as it may.
struct Watcher {
  explicit Watcher(Peer mine, std::vector<std::string>& all) : peer(std::move(mine)), said(all) {
    said.push_back("open " + peer.address() + (peer.connected() ? "" : " gone"));
  }
  Answer on_request(const Request& request) { return request.own(); }
  void on_drain() { said.push_back("drain"); }
  void on_close(CloseReason) { said.push_back("close " + peer.layers().text()); }
  Peer peer;
  std::vector<std::string>& said;
};

TEST(ConversationLayers, AnswerAHandshakeAndChangeBytesBothWays) {
  Conversation talk(lines(), answer, behind_knock());
  EXPECT_EQ(talk.say("kno"), "");
  EXPECT_EQ(talk.say("ck!"), kWelcome);
  EXPECT_EQ(talk.say(turned("hello\nwor")), turned("hello\n"));
  EXPECT_EQ(talk.say(turned("ld\npush\nLAYERS\n")), turned("world\npushed\npush\nknock.times=1\n"));
  EXPECT_EQ(talk.say(kBye), kBye);
  EXPECT_EQ(talk.closed(), CloseReason::kPeerClosed);
  expect_no_debts(talk);
}

TEST(ConversationLayers, LargeRepliesGoThroughInPieces) {
  const std::string large(100'000, 'x');
  Conversation talk(
      lines(), [&](const Request&) -> Answer { return large; }, behind_knock());
  EXPECT_EQ(talk.say(kKnock + turned("a\nb\n")), kWelcome + turned(large + "\n" + large + "\n"));
}

TEST(ConversationLayers, AnEndOfTheStreamWithinALayerIsACut) {
  Conversation talk(lines(), answer, behind_knock());
  EXPECT_EQ(talk.say(kKnock + turned("a\n")), kWelcome + turned("a\n"));
  EXPECT_EQ(talk.end(), "");
  EXPECT_EQ(talk.closed(), CloseReason::kLayerFailed);
  expect_no_debts(talk);
}

TEST(ConversationLayers, WordsOfARefusalLeaveBeforeTheEnd) {
  Conversation talk(lines(), answer, behind_knock());
  EXPECT_EQ(talk.say("open up\n"), support::kRefusal);
  EXPECT_EQ(talk.say("please"), "");
  talk.end();
  EXPECT_EQ(talk.closed(), CloseReason::kLayerFailed);
  expect_no_debts(talk);
}

// A drain beside a refusal: no session, no last words, no wait.
TEST(ConversationLayers, ADrainAfterARefusalWaitsForNothing) {
  std::vector<std::string> said;
  const auto talk = Conversation::with<Watcher>(lines(), behind_knock(), said);
  EXPECT_EQ(talk->say("open up\n"), support::kRefusal);
  EXPECT_EQ(talk->drain(), "");
  talk->end();
  EXPECT_EQ(talk->closed(), CloseReason::kLayerFailed);
  EXPECT_EQ(said, std::vector<std::string>());
}

TEST(ConversationLayers, WhatALayerThrowsCostsItsConnection) {
  Conversation talk(lines(), answer, behind_knock());
  EXPECT_EQ(talk.say(std::string(support::KnockLayer::kThrows)), "");
  EXPECT_EQ(talk.closed(), CloseReason::kLayerFailed);
  Conversation never(lines(), answer, behind({std::make_shared<support::KnockFactory>(true)}));
  EXPECT_EQ(never.closed(), CloseReason::kLayerFailed);
}

TEST(ConversationLayers, HaveTheirTimeAndNoMore) {
  ListenOptions options = behind_knock();
  options.limits.handshake_time_max = seconds(2);
  options.limits.first_byte_time_max = seconds(3);
  Conversation late(lines(), answer, options);
  for (int drop = 0; drop < 4; ++drop) {  // bytes now and then are no excuse
    EXPECT_EQ(late.say(kKnock.substr(static_cast<size_t>(drop), 1)), "");
    late.advance(milliseconds(490));
    EXPECT_FALSE(late.closed());
  }
  EXPECT_EQ(late.advance(milliseconds(50)), "");
  EXPECT_EQ(late.closed(), CloseReason::kHandshakeTimeout);
  expect_no_debts(late);

  // Behind them the other clocks begin anew.
  Conversation silent(lines(), answer, options);
  silent.advance(milliseconds(1900));
  EXPECT_EQ(silent.say(kKnock), kWelcome);
  silent.advance(milliseconds(2900));
  EXPECT_FALSE(silent.closed());
  silent.advance(milliseconds(200));
  silent.end();
  EXPECT_EQ(silent.closed(), CloseReason::kSilentTimeout);
}

TEST(ConversationLayers, WithoutATimeOfTheirOwnHaveThatOfTheOthers) {
  ListenOptions options = behind_knock();
  options.limits.handshake_time_max = seconds(0);
  Conversation talk(lines(), answer, options);
  talk.advance(seconds(59));
  EXPECT_FALSE(talk.closed());
  talk.advance(seconds(2));
  talk.end();
  EXPECT_EQ(talk.closed(), CloseReason::kSilentTimeout);
}

TEST(ConversationLayers, ADrainClosesAHandshakeWithoutAByte) {
  std::vector<std::string> said;
  const auto talk = Conversation::with<Watcher>(lines(), behind_knock(), said);
  talk->say("kno");
  EXPECT_EQ(talk->drain(), "");
  EXPECT_EQ(talk->closed(), CloseReason::kDrained);
  EXPECT_EQ(said, std::vector<std::string>());
  expect_no_debts(*talk);
}

class Goodbye final : public support::LinesCodec {
 public:
  std::string last_words(CloseReason) const override { return "bye\n"; }
};

TEST(ConversationLayers, ADrainSaysGoodbyeThroughThem) {
  Conversation talk(std::make_shared<Goodbye>(), answer, behind_knock());
  talk.say(kKnock);
  EXPECT_EQ(talk.drain(), turned("bye\n") + kBye);
  EXPECT_FALSE(talk.closed());
  talk.end();
  EXPECT_EQ(talk.closed(), CloseReason::kDrained);
}

TEST(ConversationLayers, NobodyAboveKnowsBeforeTheyAreThrough) {
  std::vector<std::string> said;
  const auto talk = Conversation::with<Watcher>(lines(), behind_proxy(), said);
  talk->say(kHeader.substr(0, 20));
  EXPECT_EQ(said, std::vector<std::string>());
  EXPECT_EQ(talk->say(kHeader.substr(20) + "a\n"), "a\n");
  ASSERT_EQ(said, std::vector<std::string>{"open 192.0.2.33:56324"});
  talk->end();
  ASSERT_EQ(said.size(), 2u);
  EXPECT_EQ(said[1],
            "close proxy.version=1 proxy.from= proxy.source=192.0.2.33:56324 "
            "proxy.destination=198.51.100.7:443");
  expect_no_debts(*talk);
}

TEST(ConversationLayers, AHeaderIsFollowedByTheFirstInput) {
  Conversation talk(lines(), answer, behind_proxy());
  EXPECT_EQ(talk.say(kHeader + "first\n" + kHeader + "PEER\nunfin"),
            "first\n" + kHeader.substr(0, kHeader.size() - 2) + "\n192.0.2.33:56324\n");
  EXPECT_EQ(talk.say("ished\n"), "unfinished\n");
  talk.end();
  EXPECT_EQ(talk.closed(), CloseReason::kPeerClosed);
  expect_no_debts(talk);
}

TEST(ConversationLayers, AHeaderMayComeByteByByte) {
  Conversation talk(lines(), answer, behind_proxy());
  std::string heard;
  for (const char byte : kHeader + "PEER\n") heard += talk.say({&byte, 1});
  EXPECT_EQ(heard, "192.0.2.33:56324\n");
}

TEST(ConversationLayers, WhatIsNoHeaderIsClosedWithoutAByte) {
  for (const std::string first : {"GET / HTTP/1.1\r\n", "PEER\n", "PROXY TCP4 1 2 3 4\r\n"}) {
    Conversation talk(lines(), answer, behind_proxy());
    EXPECT_EQ(talk.say(first), "");
    EXPECT_EQ(talk.closed(), CloseReason::kLayerFailed);
    expect_no_debts(talk);
  }
  Conversation cut(lines(), answer, behind_proxy());
  cut.say(kHeader.substr(0, 30));
  EXPECT_EQ(cut.end(), "");
  EXPECT_EQ(cut.closed(), CloseReason::kLayerFailed);
  Conversation looked(lines(), answer, behind_proxy());  // a health check that sends nothing
  EXPECT_EQ(looked.end(), "");
  EXPECT_EQ(looked.closed(), CloseReason::kPeerClosed);
  Conversation reset(lines(), answer, behind_proxy());
  reset.say(kHeader.substr(0, 30));
  reset.reset();
  EXPECT_EQ(reset.closed(), CloseReason::kReset);
}

TEST(ConversationLayers, StandBehindEachOther) {
  Conversation talk(
      lines(), answer,
      behind({std::make_shared<ProxyLayerFactory>(), std::make_shared<support::KnockFactory>()}));
  EXPECT_EQ(talk.say(kHeader + kKnock + turned("PEER\n")), kWelcome + turned("192.0.2.33:56324\n"));
  EXPECT_EQ(talk.say(turned("LAYERS\n")),
            turned("proxy.version=1 proxy.from= proxy.source=192.0.2.33:56324 "
                   "proxy.destination=198.51.100.7:443 knock.times=1\n"));
  Conversation within(
      lines(), answer,
      behind({std::make_shared<support::KnockFactory>(), std::make_shared<ProxyLayerFactory>()}));
  EXPECT_EQ(within.say(kKnock + turned(kHeader + "PEER\n")),
            kWelcome + turned("192.0.2.33:56324\n"));
  EXPECT_EQ(within.say(kBye), kBye);
}

TEST(ConversationLayers, TwoOfAKindCodeTwice) {
  Conversation talk(lines(), answer,
                    behind({std::make_shared<support::KnockFactory>(),
                            std::make_shared<support::KnockFactory>()}));
  EXPECT_EQ(talk.say(kKnock + turned(kKnock)), kWelcome + turned(kWelcome));
  EXPECT_EQ(talk.say("twice turned\n"), "twice turned\n");
  EXPECT_EQ(talk.say(turned(kBye)), turned(kBye) + kBye);
}

}}}  // namespace trireme
