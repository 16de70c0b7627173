// Goal: who works for a request that nobody waits for any more is told: a kept Reply, a stop token
// with callbacks, a wait. Method: testing::Conversation; the test moves the time, and its thread is
// the only one.
#include <gtest/gtest.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "trireme/blocking.h"
#include "trireme/testing/conversation.h"

namespace trireme { inline namespace v0 { namespace {

using testing::Conversation;
using namespace std::chrono_literals;

struct KeptRequest {
  std::optional<Reply> reply;
  std::stop_token token;
};

class ConversationCancel : public ::testing::Test {
 protected:
  void talk(ListenOptions options = {}) {
    talk_ = std::make_unique<Conversation>(
        lines(),
        [this](const Request& request, Reply reply) {
          if (request.text() != "keep") return std::move(reply).send(request.own());
          kept_.token = request.stop_token();
          kept_.reply.emplace(std::move(reply));
        },
        std::move(options));
  }
  KeptRequest kept_;
  std::unique_ptr<Conversation> talk_;
};

TEST_F(ConversationCancel, AKeptReplyKnowsThatItsClientIsGone) {
  talk();
  talk_->say("keep\n");
  int calls = 0;
  const std::stop_callback callback(kept_.token, [&] { ++calls; });
  EXPECT_FALSE(kept_.reply->cancelled().stop_requested());
  EXPECT_EQ(kept_.reply->time_left(), std::chrono::nanoseconds::max());
  EXPECT_FALSE(kept_.token.stop_requested());
  talk_->reset();
  EXPECT_EQ(kept_.reply->cancelled().reason(), CancelReason::kPeerGone);
  EXPECT_TRUE(kept_.token.stop_requested());
  EXPECT_EQ(calls, 1);
}

TEST_F(ConversationCancel, AKeptReplyKnowsItsDeadline) {
  talk({.handler_time_max = 2s});
  talk_->say("keep\n");
  talk_->advance(500ms);
  EXPECT_EQ(kept_.reply->time_left(), 1500ms);
  EXPECT_FALSE(kept_.token.stop_requested());
  EXPECT_EQ(talk_->advance(2s), "ERR deadline exceeded\n");
  EXPECT_EQ(kept_.reply->time_left(), 0ns);
  EXPECT_EQ(kept_.reply->cancelled().reason(), CancelReason::kDeadline);
  EXPECT_TRUE(kept_.token.stop_requested());
}

TEST_F(ConversationCancel, AKeptReplyKnowsOfTheDrain) {
  talk();
  talk_->say("keep\n");
  talk_->drain();
  EXPECT_EQ(kept_.reply->cancelled().reason(), CancelReason::kDrain);
  EXPECT_TRUE(kept_.token.stop_requested());
  std::move(*kept_.reply).send("still");
  EXPECT_EQ(talk_->hear(), "still\n");
  EXPECT_FALSE(kept_.reply->cancelled().stop_requested());  // it is answered
}

TEST_F(ConversationCancel, ATokenOfAnAnsweredRequestIsNeverStopped) {
  talk({.handler_time_max = 2s});
  talk_->say("keep\n");
  std::move(*kept_.reply).send("answered");
  EXPECT_EQ(talk_->hear(), "answered\n");
  talk_->advance(10s);
  talk_->reset();
  EXPECT_FALSE(kept_.token.stop_requested());
}

TEST_F(ConversationCancel, EveryKeptReplyOfAPipelinedConnectionIsTold) {
  std::vector<KeptRequest> all;
  talk_ = std::make_unique<Conversation>(
      lines(),
      [&all](const Request& request, Reply reply) {
        KeptRequest kept;
        kept.token = request.stop_token();
        kept.reply.emplace(std::move(reply));
        all.push_back(std::move(kept));
      },
      ListenOptions{.ordering = Ordering::kPipelined});
  talk_->say("a\nb\nc\nd\n");
  ASSERT_EQ(all.size(), 4U);
  std::move(*all[0].reply).send("a");
  EXPECT_EQ(talk_->hear(), "a\n");
  talk_->reset();
  for (size_t i = 0; i < all.size(); ++i) EXPECT_EQ(all[i].token.stop_requested(), i > 0) << i;
}

TEST(StopToken, IsOneOfItsRequest) {
  int calls = 0;
  std::vector<std::stop_token> tokens;
  Conversation talk(lines(), [&](const Request& request) -> Answer {
    const std::stop_token token = request.stop_token();
    EXPECT_TRUE(token == request.stop_token());
    EXPECT_TRUE(token.stop_possible());
    const std::stop_callback callback(token, [&] { ++calls; });
    tokens.push_back(token);
    return request.own();
  });
  EXPECT_EQ(talk.say("a\nb\nc\n"), "a\nb\nc\n");
  ASSERT_EQ(tokens.size(), 3U);
  EXPECT_FALSE(tokens[0] == tokens[1] || tokens[1] == tokens[2]);
  talk.reset();
  EXPECT_EQ(calls, 0);
}

// Nobody else runs here: the thread that waits finds the deadline over, and calls back itself.
TEST(StopToken, IsFiredByAWaitThatEndsAtTheDeadline) {
  std::string diary;
  Conversation talk(lines(),
                    [&](const Request& request) -> Answer {
                      const std::stop_callback callback(request.stop_token(),
                                                        [&] { diary += "called "; });
                      EXPECT_EQ(request.time_left(), 2s);
                      EXPECT_FALSE(wait_for(1h));
                      EXPECT_EQ(request.time_left(), 0s);
                      diary += "returned ";
                      // Too late for a callback: it is called at once.
                      const std::stop_callback late(request.stop_token(), [&] { diary += "late"; });
                      return request.own();
                    },
                    {.handler_time_max = 2s});
  EXPECT_EQ(talk.say("a\n"), "ERR deadline exceeded\n");
  EXPECT_EQ(diary, "called returned late");
}

TEST(WaitReadable, EndsWhenTheDescriptorIsReadyOrTheTimeIsOver) {
  const int fd = ::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  Conversation talk(lines(), [fd](const Request& request) -> Answer {
    const bool writes = request.text() == "write";
    switch (writes ? wait_writable(fd, 10s) : wait_readable(fd, 10s)) {
      case WaitResult::kReady:
        return "ready";
      case WaitResult::kTimeOver:
        return "time over";
      default:
        return "cancelled";
    }
  });
  EXPECT_EQ(talk.say("read\n"), "time over\n");
  EXPECT_EQ(talk.say("write\n"), "ready\n");
  const uint64_t one = 1;
  ASSERT_EQ(::write(fd, &one, sizeof(one)), 8);
  EXPECT_EQ(talk.say("read\n"), "ready\n");
  ::close(fd);
}

TEST(WaitReadable, EndsAtTheDeadlineOfItsRequest) {
  const int fd = ::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  WaitResult result = WaitResult::kReady;
  Conversation talk(lines(),
                    [&](const Request& request) -> Answer {
                      result = wait_readable(fd, 10s);
                      return request.own();
                    },
                    {.handler_time_max = 2s});
  EXPECT_EQ(talk.say("a\n"), "ERR deadline exceeded\n");
  EXPECT_EQ(result, WaitResult::kCancelled);
  ::close(fd);
}

TEST(WaitReadable, WithoutAHandlerWaitsForTheDescriptorAlone) {
  const int fd = ::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  EXPECT_EQ(wait_readable(fd, 1ms), WaitResult::kTimeOver);
  EXPECT_EQ(wait_writable(fd, 1h), WaitResult::kReady);
  ::close(fd);
  EXPECT_EQ(wait_readable(-1, 1h), WaitResult::kReady);  // the next read tells what is wrong
}

}}}  // namespace trireme
