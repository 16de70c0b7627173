// Goal: rules 1 to 4 of runtime/drivers/driver.h, and that no ending is lost, told twice, or makes
// the loop spin. Method: one conformance suite on loopback sockets for each driver; a quiet stretch
// counts the returns of wait.
#include <fcntl.h>

#include <algorithm>
#include <utility>

#include "support/unit_driver.h"

namespace trireme { inline namespace v0 { namespace {

class Ending : public unit::DriverFixture {
 protected:
  // Everything of one channel, joined: "abc|0" is bytes and the end of the stream.
  std::string story(const Channel& channel) const {
    std::string all;
    for (const unit::Happened& it : history) {
      if (it.channel != &channel) continue;
      if (it.kind == Kind::kReceived && it.result > 0) all += it.bytes;
      if (it.kind == Kind::kReceived && it.result == 0) all += "|end";
      if (it.kind == Kind::kReceived && it.result < 0) all += "|reset";
      if (it.kind == Kind::kWritable) all += "|writable";
      if (it.kind == Kind::kClosed) all += "|closed";
    }
    return all;
  }
  // For a driver that hears nothing of a channel that is paused.
  void resume_later(Channel& channel) {
    EXPECT_LE(returns_while_quiet(), 3);
    driver.receive(channel);
  }
};
INSTANTIATE_TEST_SUITE_P(Drivers, Ending, ::testing::ValuesIn(unit::drivers()), unit::driver_name);

constexpr size_t kBuffer = 64 << 10;

TEST_P(Ending, DataAndFinTogether) {
  Channel& channel = fresh();
  int server = -1;
  const int client = pair(server);
  say(client, "last words");
  hang_up(client);
  attach(channel, server);
  ASSERT_TRUE(turn_until([&] { return ended(channel); }));
  EXPECT_EQ(story(channel), "last words|end");
  EXPECT_LE(returns_while_quiet(), 3);
  driver.receive(channel);  // nothing more can come
  EXPECT_LE(returns_while_quiet(), 3);
}

TEST_P(Ending, FinBehindFullReads) {
  for (const size_t bytes : {kBuffer, kBuffer + 1, 2 * kBuffer, 2 * kBuffer + 100}) {
    Channel& channel = fresh();
    int server = -1;
    const int client = pair(server);
    const int room = 4 << 20;
    ::setsockopt(client, SOL_SOCKET, SO_SNDBUF, &room, sizeof(room));
    say(client, std::string(bytes, 'x'));
    hang_up(client);
    attach(channel, server);
    EXPECT_TRUE(turn_until([&] { return ended(channel); })) << bytes;
    EXPECT_EQ(received(channel).size(), bytes);
    EXPECT_LE(returns_while_quiet(), 3);
  }
}

TEST_P(Ending, FinBehindSmallReads) {
  Channel& channel = fresh();
  int server = -1;
  const int client = pair(server);
  driver.set_receive_bytes_max(4);
  say(client, "0123456789");
  hang_up(client);
  attach(channel, server);
  ASSERT_TRUE(turn_until([&] { return ended(channel); }));
  EXPECT_EQ(story(channel), "0123456789|end");
}

TEST_P(Ending, DataThenReset) {
  Channel& channel = fresh();
  int server = -1;
  const int client = pair(server);
  say(client, "last words");
  reset(client);
  attach(channel, server);
  ASSERT_TRUE(turn_until([&] { return was_reset(channel); }));
  EXPECT_EQ(story(channel), "last words|reset");
  EXPECT_LE(returns_while_quiet(), 3);
}

TEST_P(Ending, ResetOfAnIdleConnection) {
  Channel& channel = fresh();
  const int client = connected(channel);
  turn(0);
  reset(client);
  ASSERT_TRUE(turn_until([&] { return was_reset(channel); }));
  EXPECT_EQ(story(channel), "|reset");
  EXPECT_LE(returns_while_quiet(), 3);
}

TEST_P(Ending, HalfCloseLeavesTheOtherDirectionOpen) {
  Channel& channel = fresh();
  const int client = connected(channel);
  say(client, "ask");
  ASSERT_EQ(::shutdown(client, SHUT_WR), 0);
  ASSERT_TRUE(turn_until([&] { return ended(channel); }));
  EXPECT_LE(returns_while_quiet(), 3);
  const iovec answer{const_cast<char*>("answer"), 6};
  EXPECT_EQ(driver.send(channel, {&answer, 1}).bytes, 6u);
  let_go(channel);
  EXPECT_EQ(hear(client, 6), "answer");
  EXPECT_LE(returns_while_quiet(), 3);
  driver.shutdown_write(channel);  // both have ended: HUP, which cannot be masked
  EXPECT_LE(returns_while_quiet(), 3);
  EXPECT_EQ(story(channel), "ask|end");
}

TEST_P(Ending, AfterTheEndAShortSendStillGoesOn) {
  Channel& channel = fresh();
  const int client = connected(channel);
  ASSERT_EQ(::shutdown(client, SHUT_WR), 0);
  ASSERT_TRUE(turn_until([&] { return ended(channel); }));
  const std::string all(8 << 20, 'z');
  const iovec piece{const_cast<char*>(all.data()), all.size()};
  const size_t sent = driver.send(channel, {&piece, 1}).bytes;
  ASSERT_LT(sent, all.size());
  EXPECT_LE(returns_while_quiet(), 3);
  EXPECT_EQ(hear(client, sent).size(), sent);
  ASSERT_TRUE(turn_until([&] { return count(channel, Kind::kWritable, 0) > 0; }));
}

TEST_P(Ending, ResetAfterTheEndIsToldOnceAndDoesNotSpin) {
  Channel& channel = fresh();
  const int client = connected(channel);
  ASSERT_EQ(::shutdown(client, SHUT_WR), 0);
  ASSERT_TRUE(turn_until([&] { return ended(channel); }));
  reset(client);  // Linux says EPIPE then, not ECONNRESET
  const char* told = GetParam().tells_hang_up_unasked ? "|end|reset" : "|end";
  ASSERT_TRUE(turn_until([&] { return story(channel) == told; }));
  EXPECT_LE(returns_while_quiet(), 3);
}

TEST_P(Ending, PausedDataAndFinComeBothAfterReceive) {
  Channel& channel = fresh();
  const int client = connected(channel);
  driver.pause(channel);
  say(client, "unread");
  hang_up(client);
  EXPECT_LE(returns_while_quiet(), 3);
  EXPECT_EQ(story(channel), "");
  driver.receive(channel);
  EXPECT_TRUE(turn_until([&] { return ended(channel); }));
  EXPECT_EQ(story(channel), "unread|end");
}

TEST_P(Ending, PausedFinAloneComesAfterReceive) {
  Channel& channel = fresh();
  const int client = connected(channel);
  driver.pause(channel);
  hang_up(client);
  EXPECT_LE(returns_while_quiet(), 3);
  driver.receive(channel);
  EXPECT_TRUE(turn_until([&] { return ended(channel); }));
  EXPECT_EQ(story(channel), "|end");
}

TEST_P(Ending, PausedAndEndedBothWaysItLeavesTheSetAndTellsLater) {
  Channel& channel = fresh();
  const int client = connected(channel);
  driver.pause(channel);
  say(client, "unread");
  ASSERT_EQ(::shutdown(client, SHUT_WR), 0);
  driver.shutdown_write(channel);
  EXPECT_LE(returns_while_quiet(), 3);
  EXPECT_EQ(story(channel), "");
  driver.receive(channel);
  EXPECT_TRUE(turn_until([&] { return ended(channel); }));
  EXPECT_EQ(story(channel), "unread|end");
  EXPECT_LE(returns_while_quiet(), 3);
}

TEST_P(Ending, PausedAndResetIsToldOnceAndDoesNotSpin) {
  Channel& channel = fresh();
  const int client = connected(channel);
  turn(0);
  driver.pause(channel);
  reset(client);
  if (!GetParam().tells_hang_up_unasked) resume_later(channel);
  ASSERT_TRUE(turn_until([&] { return was_reset(channel); }));
  EXPECT_EQ(story(channel), "|reset");
  EXPECT_LE(returns_while_quiet(), 3);
  driver.receive(channel);
  EXPECT_LE(returns_while_quiet(), 3);
  driver.close(channel);
  turn(0);
  EXPECT_EQ(story(channel), "|reset|closed");
}

TEST_P(Ending, PausedWithDataAndResetIsToldOnce) {
  Channel& channel = fresh();
  const int client = connected(channel);
  driver.pause(channel);
  say(client, "unread");
  turn(0);
  reset(client);
  if (!GetParam().tells_hang_up_unasked) resume_later(channel);
  ASSERT_TRUE(turn_until([&] { return was_reset(channel); }));
  EXPECT_EQ(count(channel, Kind::kReceived, -ECONNRESET), 1);
  EXPECT_LE(returns_while_quiet(), 3);
}

TEST_P(Ending, ResetWithAShortSendPending) {
  Channel& channel = fresh();
  const int client = connected(channel);
  const std::string all(8 << 20, 'z');
  const iovec piece{const_cast<char*>(all.data()), all.size()};
  ASSERT_LT(driver.send(channel, {&piece, 1}).bytes, all.size());
  driver.pause(channel);
  reset(client);
  // Told as readable or writable, it must not spin, and the next call must find out.
  EXPECT_TRUE(
      turn_until([&] { return was_reset(channel) || count(channel, Kind::kWritable, 0) > 0; }));
  const Sent more = driver.send(channel, {&piece, 1});
  EXPECT_TRUE(was_reset(channel) || more.error != 0);
}

TEST_P(Ending, SendingToAPeerThatIsGoneIsAnErrorNotASignal) {
  Channel& channel = fresh();
  const int client = connected(channel);
  reset(client);
  ASSERT_TRUE(turn_until([&] { return was_reset(channel); }));
  const iovec piece{const_cast<char*>("x"), 1};
  const Sent sent = driver.send(channel, {&piece, 1});
  EXPECT_EQ(sent.bytes, 0u);
  EXPECT_TRUE(sent.error == -EPIPE || sent.error == -ECONNRESET) << sent.error;
}

TEST_P(Ending, CloseIsToldOnceAndOnlyAtTheEndOfATurn) {
  Channel& channel = fresh();
  const int client = connected(channel);
  say(client, "x");
  ASSERT_TRUE(turn_until([&] { return !history.empty(); }));
  const int fd = channel.fd;
  driver.close(channel);
  EXPECT_EQ(channel.fd, -1);
  EXPECT_EQ(::fcntl(fd, F_GETFD), -1);
  const std::vector<unit::Happened> all = turn(5000);  // does not sleep
  ASSERT_EQ(all.size(), 1u);
  EXPECT_EQ(all[0].kind, Kind::kClosed);
  EXPECT_EQ(counters.descriptors_closed.get(), 1u);
  EXPECT_LE(returns_while_quiet(), 3);
  EXPECT_EQ(hear(client, 1), "");
}

TEST_P(Ending, AClosedChannelsEventOfTheSameTurnNeverGetsOut) {
  Channel& a = fresh();
  Channel& b = fresh();
  const int client_a = connected(a);
  const int client_b = connected(b);
  say(client_a, "x");
  say(client_b, "y");
  Channel* closed = nullptr;
  while (history.empty()) {
    turn(1000, [&](const unit::Happened& it) {
      if (closed != nullptr) return;
      closed = it.channel == &a ? &b : &a;
      driver.close(*closed);
    });
  }
  expect_closed(*closed);
  EXPECT_EQ(story(*closed), "|closed");
  EXPECT_EQ(history.back().kind, Kind::kClosed) << "the closed channel is told last";
}

TEST_P(Ending, AClosedChannelsResetOfTheSameTurnNeverGetsOut) {
  Channel& a = fresh();
  Channel& b = fresh();
  const int client_a = connected(a);
  const int client_b = connected(b);
  turn(0);
  reset(client_a);
  reset(client_b);
  Channel* closed = nullptr;
  while (history.empty()) {
    turn(1000, [&](const unit::Happened& it) {
      if (closed != nullptr) return;
      closed = it.channel == &a ? &b : &a;
      driver.close(*closed);
    });
  }
  expect_closed(*closed);
  EXPECT_EQ(story(*closed), "|closed");
}

TEST_P(Ending, ClosedInItsOwnCompletionTheRestOfTheEventIsDropped) {
  Channel& channel = fresh();
  const int client = connected(channel);
  const std::string all(8 << 20, 'z');
  const iovec piece{const_cast<char*>(all.data()), all.size()};
  const size_t sent = driver.send(channel, {&piece, 1}).bytes;
  say(client, "x");
  EXPECT_EQ(hear(client, sent).size(), sent);  // now readable and writable
  turn(1000, [&](const unit::Happened& it) {
    if (it.kind != Kind::kClosed && channel.fd >= 0) driver.close(channel);
  });
  EXPECT_EQ(std::count_if(history.begin(), history.end(),
                          [](const auto& it) { return it.kind != Kind::kClosed; }),
            1);
  expect_closed(channel);
}

TEST_P(Ending, ADescriptorThatIsReusedInTheSameTurnGetsNoStrangersEvent) {
  Channel& a = fresh();
  Channel& b = fresh();
  Channel& reused = fresh();
  const int client_a = connected(a);
  const int client_b = connected(b);
  int server = -1;
  const int client = pair(server);
  say(client_a, "x");
  say(client_b, "y");
  Channel* closed = nullptr;
  while (closed == nullptr) {
    turn(1000, [&](const unit::Happened& it) {
      if (closed != nullptr) return;
      closed = it.channel == &a ? &b : &a;
      const int fd = closed->fd;
      driver.close(*closed);
      ASSERT_EQ(::dup3(server, fd, O_CLOEXEC), fd);
      ::close(server);
      attach(reused, fd);
    });
  }
  expect_closed(*closed);
  EXPECT_EQ(story(reused), "");
  EXPECT_LE(returns_while_quiet(), 3);
  say(client, "mine");
  ASSERT_TRUE(turn_until([&] { return story(reused) == "mine"; }));
}

TEST_P(Ending, ADuplicateOfAClosedDescriptorIsSilent) {
  Channel& channel = fresh();
  const int client = connected(channel);
  const int duplicate = ::fcntl(channel.fd, F_DUPFD_CLOEXEC, 0);
  ASSERT_GE(duplicate, 0);
  driver.close(channel);
  turn(0);
  say(client, "still heard by the duplicate");
  EXPECT_LE(returns_while_quiet(), 3);
  hang_up(client);
  EXPECT_LE(returns_while_quiet(), 3);
  EXPECT_EQ(story(channel), "|closed");
  ::close(duplicate);
}

TEST_P(Ending, ClosedWithAReadDueItIsNotReadAgain) {
  Channel& channel = fresh();
  driver.set_receive_bytes_max(4);
  const int client = connected(channel);
  say(client, "0123456789");
  while (history.empty()) turn(1000);
  driver.close(channel);
  turn(0);
  turn(0);
  EXPECT_EQ(story(channel), "0123|closed");
}

TEST_P(Ending, AChannelLivesAgainAfterClosed) {
  Channel& channel = fresh();
  connected(channel);
  driver.close(channel);
  turn(0);
  const int client = connected(channel);
  say(client, "second life");
  ASSERT_TRUE(turn_until([&] { return received(channel) == "second life"; }));
}

}  // namespace
}}  // namespace trireme
