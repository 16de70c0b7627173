// Goal: with Ordering::kUnordered replies leave as they come, each with the number of its request;
// they are counted, given deadlines and drained as those of pipelined connections. Method:
// TalkCodec, replies that the test keeps; testing::Conversation.
#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "support/talk_codec.h"
#include "trireme/testing/conversation.h"

namespace trireme { inline namespace v0 { namespace {

using support::talk_codec;
using testing::Conversation;
using namespace std::chrono_literals;

class Unordered : public ::testing::Test {
 protected:
  ListenOptions options() const { return {.ordering = Ordering::kUnordered}; }
  auto keep() {
    return [this](const Request& request, Reply reply) {
      if (request.text() == "now") return std::move(reply).send("now");
      kept_.emplace_back(request.own(), std::move(reply));
    };
  }
  void answer(size_t index) { std::move(kept_[index].second).send(Answer(kept_[index].first)); }

  std::vector<std::pair<std::string, Reply>> kept_;
};

TEST_F(Unordered, RepliesLeaveAsTheyCome) {
  Conversation talk(talk_codec(), keep(), options());
  EXPECT_EQ(talk.say("#1 a\n#2 b\n#3 now\nping x\n#4 d\n"), "#3 now\npong x\n");
  answer(2);
  EXPECT_EQ(talk.hear(), "#4 d\n");
  answer(0);
  answer(1);
  EXPECT_EQ(talk.hear(), "#1 a\n#2 b\n");
  const Stats stats = talk.stats();
  EXPECT_EQ(stats.requests, 4u);
  EXPECT_EQ(stats.replies, 4u);
  talk.end();
  EXPECT_EQ(talk.closed(), CloseReason::kPeerClosed);
  EXPECT_EQ(talk.stats().slots_made, talk.stats().slots_gone);
}

TEST_F(Unordered, RequestsAtWorkAreBounded) {
  ListenOptions few = options();
  few.limits.in_flight_max = 2;
  Conversation talk(talk_codec(), keep(), few);
  EXPECT_EQ(talk.say("#1 a\n#2 b\n#3 c\n#4 now\n"), "");
  ASSERT_EQ(kept_.size(), 2u);
  for (int i = 0; i < 100; ++i) {  // the first one waits for ever
    answer(kept_.size() - 1);
    const std::string reply = talk.hear();
    talk.say("#5 more\n");
    ASSERT_LE(kept_.size(), static_cast<size_t>(i) + 3);
  }
  answer(0);
  EXPECT_TRUE(talk.hear().starts_with("#1 a\n"));
}

TEST_F(Unordered, EachHasItsDeadline) {
  ListenOptions hasty = options();
  hasty.handler_time_max = 2s;
  Conversation talk(talk_codec(), keep(), hasty);
  talk.say("#1 a\n");
  talk.advance(1s);
  talk.say("#2 b\n#3 c\n");
  answer(1);
  EXPECT_EQ(talk.hear(), "#2 b\n");
  EXPECT_EQ(talk.advance(1500ms), "-1 deadline 0 deadline exceeded\n");
  answer(0);
  EXPECT_EQ(talk.hear(), "") << "too late";
  EXPECT_EQ(talk.stats().stale_ids, 1u);
  EXPECT_EQ(talk.advance(1s), "-3 deadline 0 deadline exceeded\n");
  EXPECT_EQ(talk.stats().handler_deadlines, 2u);
}

TEST_F(Unordered, ADrainWaitsForAllOfThem) {
  Conversation talk(talk_codec(), keep(), options());
  talk.say("#1 a\n#2 b\n");
  EXPECT_EQ(talk.drain(), "");
  answer(1);
  EXPECT_EQ(talk.hear(), "#2 b\n");
  answer(0);
  EXPECT_EQ(talk.hear(), "#1 (last) a\n* drained\n");
  talk.end();
  EXPECT_EQ(talk.closed(), CloseReason::kDrained);
}

TEST_F(Unordered, AnAnswerThatClosesLeavesTheOthersTheirReplies) {
  Conversation talk(
      talk_codec(),
      [this](const Request& request, Reply reply) {
        if (request.text() == "close") return std::move(reply).send(Answer("bye").close_after());
        kept_.emplace_back(request.own(), std::move(reply));
      },
      options());
  EXPECT_EQ(talk.say("#1 a\n#2 close\n#3 c\n"), "#2 (last) bye\n") << "#3 is not read any more";
  ASSERT_EQ(kept_.size(), 1u);
  answer(0);
  EXPECT_EQ(talk.hear(), "#1 (last) a\n* closed by handler\n");
}

TEST_F(Unordered, ADroppedReplyAndAResetAreCounted) {
  Conversation talk(talk_codec(), keep(), options());
  talk.say("#1 a\n#2 b\n#3 c\n");
  kept_.erase(kept_.begin() + 1);
  EXPECT_EQ(talk.hear(), "-2 internal 0 internal\n");
  talk.reset();
  answer(0);
  talk.hear();
  EXPECT_EQ(talk.stats().replies_dropped, 2u);
  EXPECT_EQ(talk.stats().slots_made, talk.stats().slots_gone);
}

TEST_F(Unordered, ItsAnswersSwitchNoCodec) {
  Conversation talk(
      talk_codec(), [](const Request&) -> Answer { return Answer("x").then(lines()); }, options());
  EXPECT_EQ(talk.say("#1 a\n"), "-1 internal 0 internal\n* closed by handler\n");
}

TEST_F(Unordered, CodecsWithoutDecodersMayBeUnorderedToo) {
  Conversation talk(lines(), keep(), options());
  EXPECT_EQ(talk.say("a\nb\nnow\n"), "now\n");
  answer(1);
  answer(0);
  EXPECT_EQ(talk.hear(), "b\na\n");
}

}  // namespace
}}  // namespace trireme
