// Goal: while one channel speaks alone, a look is one system call; nobody else is forgotten over
// it. Method: the rule by itself, then a driver whose calls are counted.
#include "runtime/drivers/sole_speaker.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>

#include "runtime/drivers/readiness_driver.h"
#include "runtime/threads/threads.h"
#include "support/faulty_kernel.h"

namespace trireme { inline namespace v0 { namespace {

int asked_in(SoleSpeaker& speaker, int looks, const Channel* whom) {
  int asked = 0;
  for (int i = 0; i < looks; ++i) asked += speaker.to_ask(TimePoint()) == whom ? 1 : 0;
  return asked;
}

TEST(SoleSpeakerTest, IsAskedAloneSevenTimesOfEight) {
  SoleSpeaker speaker;
  Channel channel;
  for (int i = 0; i < 3; ++i) speaker.has_spoken(&channel);
  EXPECT_EQ(asked_in(speaker, 100, nullptr), 100) << "not believed yet";
  for (int i = 0; i < 10; ++i) speaker.has_spoken(&channel);
  EXPECT_EQ(asked_in(speaker, 800, &channel), 700);
}

// What was found may have kept its finder for long: the others are asked before it is asked again.
TEST(SoleSpeakerTest, IsNotAskedAloneLongAfterALookAtAll) {
  SoleSpeaker speaker;
  Channel channel;
  for (int i = 0; i < 10; ++i) speaker.has_spoken(&channel);
  TimePoint now{};
  const auto alone = [&] {
    int asked = 0;
    for (int i = 0; i < 8; ++i) asked += speaker.to_ask(now) == &channel ? 1 : 0;
    return asked;
  };
  EXPECT_EQ(alone(), 7);
  now += std::chrono::microseconds(101);
  EXPECT_EQ(alone(), 0);
  speaker.looks_at_all(now);
  EXPECT_EQ(alone(), 7);
}

TEST(SoleSpeakerTest, OneOtherEndsIt) {
  SoleSpeaker speaker;
  Channel channel, other;
  for (int i = 0; i < 10; ++i) speaker.has_spoken(&channel);
  speaker.has_spoken(&other);
  EXPECT_EQ(asked_in(speaker, 100, nullptr), 100);
  for (int i = 0; i < 10; ++i) speaker.has_spoken(&channel);
  speaker.has_spoken(nullptr);  // a wake-up
  EXPECT_EQ(asked_in(speaker, 100, nullptr), 100);
  for (int i = 0; i < 10; ++i) speaker.has_spoken(&channel);
  speaker.forget(&other);
  EXPECT_GT(asked_in(speaker, 8, &channel), 0);
  speaker.forget(&channel);
  EXPECT_EQ(asked_in(speaker, 100, nullptr), 100);
}

TEST(SoleSpeakerTest, AListenerIsNeverAsked) {
  SoleSpeaker speaker;
  Channel listener;
  listener.role = Channel::Role::kListener;
  for (int i = 0; i < 10; ++i) speaker.has_spoken(&listener);
  EXPECT_EQ(asked_in(speaker, 100, nullptr), 100);
}

class LookingAtAPoller : public ::testing::TestWithParam<DriverKind> {
 protected:
  using Site = FaultyKernel::Site;

  void SetUp() override {
    ASSERT_EQ(driver.open(), 0);
    ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends), 0);
    ASSERT_EQ(driver.attach(channel, Channel::Role::kStream, ends[0]), 0);
  }
  void TearDown() override {
    driver.close(channel);
    driver.look(TimePoint());
    Completion closed;
    ASSERT_TRUE(driver.next(closed));
    EXPECT_EQ(closed.kind, Completion::Kind::kClosed);
    EXPECT_FALSE(driver.next(closed));
    ::close(ends[1]);
  }
  void say() { ASSERT_EQ(::send(ends[1], "x", 1, MSG_NOSIGNAL), 1); }
  uint64_t take_all() {
    uint64_t heard = 0;
    Completion one;
    while (driver.next(one)) heard += one.bytes.size();
    return heard;
  }

  FaultyKernel kernel{real_platform().kernel};
  Buffers buffers{1 << 24};
  LoopCounters counters;
  ReadinessDriver driver{kernel, buffers, counters, GetParam()};
  int ends[2];
  Channel channel;
};

// Of requests that are there when it looks, seven of eight cost no call of the poller.
TEST_P(LookingAtAPoller, TakesFewCallsForOneWhoSpeaksAlone) {
  constexpr uint64_t kRequests = 800;
  uint64_t heard = 0;
  for (uint64_t i = 0; i < kRequests; ++i) {
    say();
    driver.look(TimePoint());
    heard += take_all();
  }
  EXPECT_EQ(heard, kRequests);
  const uint64_t waits =
      kernel.calls(Site::kEpollWait) + kernel.calls(Site::kPoll) + kernel.calls(Site::kSelect);
  EXPECT_GE(waits, kRequests / 10);  // the others are asked, too
  EXPECT_LE(waits, kRequests / 7);
  EXPECT_LE(kernel.calls(Site::kReceive), kRequests + 1);
}

// A process that is stopped and goes on: the wait ends without having looked.
TEST_P(LookingAtAPoller, AnInterruptedWaitTellsWhatIsThere) {
  say();
  for (const Site site : {Site::kEpollWait, Site::kPoll, Site::kSelect})
    kernel.plan({.site = site, .error = EINTR, .times = 2});
  driver.wait(TimePoint(), TimePoint() + std::chrono::seconds(10));
  EXPECT_EQ(take_all(), 1u);
}

INSTANTIATE_TEST_SUITE_P(Pollers, LookingAtAPoller,
                         ::testing::Values(DriverKind::kEpoll, DriverKind::kEpollEdge,
                                           DriverKind::kPoll, DriverKind::kSelect));

}  // namespace
}}  // namespace trireme
