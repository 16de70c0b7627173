// Goal: replies leave in order; what a handler sends stays in its outbox; a Peer or Reply without a
// server is harmless. Method: the classes of src/reply by hand, a sequencer against random orders,
// a server context without a server.
#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>

#include <algorithm>
#include <chrono>
#include <numeric>
#include <string>
#include <vector>

#include "handling/job.h"
#include "reply/sequencer.h"
#include "roster/server_context.h"
#include "runtime/drivers/readiness_driver.h"
#include "support/unit_seed.h"

namespace trireme { inline namespace v0 { namespace {

TEST(Sequencer, OneByOneNothingIsHeld) {
  Sequencer sequencer;
  for (uint64_t i = 1; i <= 3; ++i) {
    EXPECT_EQ(sequencer.open(), i);
    EXPECT_TRUE(sequencer.is_open(i));
    EXPECT_TRUE(sequencer.is_next(i));
    EXPECT_EQ(sequencer.in_flight(), 1u);
    sequencer.left();
    EXPECT_FALSE(sequencer.is_open(i));
    EXPECT_EQ(sequencer.in_flight(), 0u);
    EXPECT_EQ(sequencer.next_to_leave(), i + 1);
  }
  EXPECT_FALSE(sequencer.is_open(0));
  EXPECT_FALSE(sequencer.is_open(4));
}

TEST(Sequencer, AHeldReplyIsNotOpenTwice) {
  Sequencer sequencer;
  sequencer.open();
  sequencer.open();
  sequencer.hold(2, Answer("two"), Charge());
  EXPECT_FALSE(sequencer.is_open(2));
  EXPECT_TRUE(sequencer.is_open(1));
  Answer answer = no_answer();
  EXPECT_FALSE(sequencer.take_next(answer));
}

TEST(Sequencer, ARandomOrderOfAnswersLeavesInOrder) {
  Random random = unit::seeded_random();
  Buffers buffers(1 << 20);
  for (int round = 0; round < 300; ++round) {
    Sequencer sequencer;
    std::vector<uint64_t> open;
    uint64_t left = 0, opened = 0;
    for (int step = 0; step < 100 || !open.empty(); ++step) {
      if (step < 100 && (open.empty() || random.chance(1, 2))) {
        open.push_back(sequencer.open());
        ASSERT_EQ(open.back(), ++opened);
        continue;
      }
      std::swap(open[random.below(open.size())], open.back());
      const uint64_t number = open.back();
      open.pop_back();
      ASSERT_TRUE(sequencer.is_open(number));
      Answer answer = std::to_string(number);
      if (!sequencer.is_next(number)) {
        ASSERT_TRUE(buffers.charge(8));
        sequencer.hold(number, std::move(answer), Charge(buffers, 8));
        continue;
      }
      do {
        sequencer.left();
        ASSERT_EQ(answer.text(), std::to_string(++left));
      } while (sequencer.take_next(answer));
      ASSERT_EQ(sequencer.in_flight(), opened - left);
    }
    ASSERT_EQ(left, opened);
    ASSERT_EQ(buffers.bytes_now(), 0);
  }
}

// The last reply comes first: however many are held, holding one more and taking one costs the
// same. A search among all of them would take a minute.
TEST(Sequencer, ManyHeldRepliesCostLinearTime) {
  constexpr uint64_t kReplies = 100'000;
  const auto begin = std::chrono::steady_clock::now();
  const auto in_time = [begin] {
    return std::chrono::steady_clock::now() - begin < std::chrono::seconds(10);
  };
  Sequencer sequencer;
  for (uint64_t i = 1; i <= kReplies; ++i) sequencer.open();
  for (uint64_t i = kReplies; i > 1 && in_time(); --i) {
    ASSERT_TRUE(sequencer.is_open(i));
    sequencer.hold(i, no_answer(), Charge());
  }
  ASSERT_TRUE(in_time());
  EXPECT_FALSE(sequencer.holds_next());
  sequencer.left();
  uint64_t taken = 0;
  for (Answer answer = no_answer(); sequencer.take_next(answer) && in_time(); ++taken) {
    sequencer.left();
  }
  EXPECT_EQ(taken, kReplies - 1);
  EXPECT_EQ(sequencer.in_flight(), 0u);
}

TEST(SequencerDeathTest, MoreRepliesThanRequestsAborts) {
  Sequencer sequencer;
  EXPECT_DEATH(sequencer.left(), "more replies than requests");
}

// A context whose loop nobody holds, with one connection that is said to live.
class ContextTest : public ::testing::Test {
 protected:
  ContextTest() : context_(new ServerContext(real_platform(), {}, 1, 4)) {
    EventLoop& loop = context().loop(0);
    auto driver = std::make_unique<ReadinessDriver>(real_platform().kernel, context().buffers,
                                                    loop.counters, DriverKind::kEpoll);
    EXPECT_EQ(driver->open(), 0);
    loop.use_driver(std::move(driver));
    SocketAddress wide;
    wide.storage.ss_family = AF_INET6;
    context().roster.make_record(0, 2, wide);
    context().roster.record(0, 2).generation = 7;
    context().roster.add_listener({.write_bytes_high = 100});
  }
  ServerContext& context() { return *context_.get(); }
  Peer peer() { return Peer(id_, context_); }

  std::vector<std::unique_ptr<Mail>> mail() {
    context().loop(0).assume_held();
    std::vector<std::unique_ptr<Mail>> all;
    for (Mail* next = context().loop(0).take_mail(); next != nullptr;) {
      all.emplace_back(next);
      next = next->next;
    }
    return all;
  }

  ContextRef context_;
  const ConnectionId id_ = ConnectionId::make(context().roster.home(0), 2, 7);
};

TEST_F(ContextTest, OnlyTheRightGenerationIsConnected) {
  EXPECT_TRUE(peer().connected());
  const uint32_t home = context().roster.home(0);
  for (const ConnectionId wrong :
       {ConnectionId{}, ConnectionId::make(home, 2, 6), ConnectionId::make(home, 2, 8),
        ConnectionId::make(home, 1, 7), ConnectionId::make(home + 1, 2, 7),
        ConnectionId::make(home, 4, 7), ConnectionId::make(home, 2, 0),
        ConnectionId::make(home ^ 1023, 0x3fffff, 0xffffffff)}) {
    EXPECT_FALSE(Peer(wrong, context_).connected()) << wrong.value;
    EXPECT_EQ(Peer(wrong, context_).send("x"), SendResult::kClosed);
    Peer(wrong, context_).close();
    EXPECT_EQ(Peer(wrong, context_).address(), "");
  }
  EXPECT_TRUE(mail().empty());
  EXPECT_EQ(context().stale_ids.get(), 16u);
  EXPECT_EQ(context().buffers.bytes_now(), static_cast<int64_t>(ReadinessDriver::kReadBufferBytes));
}

TEST_F(ContextTest, APushIsChargedAndCountedOnItsWay) {
  const int64_t before = context().buffers.bytes_now();
  EXPECT_EQ(peer().send(std::string(60, 'x')), SendResult::kQueued);
  const size_t cost = PushMail::cost_of(std::string(60, 'x'));
  EXPECT_GE(cost, 60 + sizeof(PushMail));
  EXPECT_EQ(context().buffers.bytes_now(), before + static_cast<int64_t>(cost));
  EXPECT_EQ(context().roster.record(0, 2).transit_bytes.load(), 60u);
  EXPECT_EQ(peer().send(std::string(60, 'y')), SendResult::kQueued);  // not over the mark before it
  EXPECT_EQ(peer().send("z"), SendResult::kFull);
  EXPECT_EQ(peer().send("z", Overflow::kClose), SendResult::kQueued);
  EXPECT_EQ(peer().send("z", Overflow::kLatest), SendResult::kQueued);
  EXPECT_EQ(mail().size(), 4u);  // and destroyed
  EXPECT_EQ(context().buffers.bytes_now(), before);
}

TEST_F(ContextTest, NoPeerNoAnswer) {
  const Peer nobody;
  EXPECT_FALSE(nobody.connected());
  EXPECT_EQ(nobody.send("x"), SendResult::kClosed);
  EXPECT_EQ(nobody.address(), "");
  nobody.close();
}

TEST_F(ContextTest, InsideAHandlerEverythingGoesToTheOutbox) {
  Outbox outbox;
  outbox.connection = id_;
  outbox.request_number = 5;
  thread_slot = &outbox;
  EXPECT_EQ(peer().send("push"), SendResult::kQueued);
  peer().close();
  Reply(id_, 4, context_).send("to another request");
  std::string text = "own";
  Reply(id_, 5, context_).send(std::string_view(text));
  text = "...";
  thread_slot = nullptr;
  EXPECT_TRUE(mail().empty());
  EXPECT_TRUE(outbox.has_mail());
  const std::vector<std::unique_ptr<Mail>> mail = outbox.take_mail();
  ASSERT_EQ(mail.size(), 3u);
  EXPECT_EQ(mail[0]->kind, kMailPush);
  EXPECT_EQ(mail[1]->kind, kMailClose);
  EXPECT_EQ(mail[2]->kind, kMailAnswer);
  EXPECT_FALSE(outbox.has_mail());
  ASSERT_TRUE(outbox.has_answer());
  EXPECT_EQ(outbox.answer().text(), "own") << "copied before send returned";
  outbox.push(std::make_unique<CloseMail>(id_));
  outbox.clear();
  EXPECT_FALSE(outbox.has_answer());
  EXPECT_FALSE(outbox.has_mail());
}

TEST_F(ContextTest, AReplySpeaksOnceHoweverItEnds) {
  {
    Reply dropped(id_, 1, context_);
    Reply moved(std::move(dropped));
    Reply sent(id_, 2, context_);
    std::move(sent).send("two");
    std::move(sent).send("again");  // no effect: it has spoken
    Reply assigned(id_, 3, context_);
    assigned = Reply(id_, 4, context_);
    Reply& itself = assigned;
    assigned = std::move(itself);
  }
  std::vector<std::pair<uint64_t, std::string>> answers;
  for (const auto& one : mail()) {
    const auto& answer = static_cast<const AnswerMail&>(*one);
    answers.emplace_back(answer.request_number, answer.answer.text());
    EXPECT_TRUE(answer.answer.is_owned());
  }
  const std::vector<std::pair<uint64_t, std::string>> wanted = {
      {2, "two"}, {3, "internal"}, {4, "internal"}, {1, "internal"}};
  EXPECT_EQ(answers, wanted);
}

TEST_F(ContextTest, ThePeerAndReplyThatAreLeftKeepTheContext) {
  const Peer last = peer();
  Reply reply(id_, 1, context_);
  context_ = ContextRef();
  EXPECT_EQ(last.send("into a mailbox that nobody opens"), SendResult::kQueued);
  last.close();
  std::move(reply).send("neither");
}  // the leak checker and the CHECKs of Buffers are the judges

}  // namespace
}}  // namespace trireme
