// Goal: every driver keeps the contract of runtime/drivers/driver.h while connections live:
// receiving, sending, waking. (How they end: driver_endings_test.cc; where they come from:
// driver_accepts_test.cc.) Method: one conformance suite on loopback sockets for each driver.
#include <algorithm>
#include <thread>

#include "support/unit_driver.h"

namespace trireme { inline namespace v0 { namespace {

class Driving : public unit::DriverFixture {};
INSTANTIATE_TEST_SUITE_P(Drivers, Driving, ::testing::ValuesIn(unit::drivers()), unit::driver_name);

constexpr size_t kReadBytes = 64 << 10;

std::string pattern(size_t bytes) {
  std::string text(bytes, '\0');
  for (size_t i = 0; i < bytes; ++i) text[i] = static_cast<char>('a' + i % 23);
  return text;
}

TEST_P(Driving, TellsItsName) {
  EXPECT_TRUE(std::string_view(GetParam().name).starts_with(driver.traits().name));
}

TEST_P(Driving, ReceivesWhatWasSaidBeforeAndAfterAttaching) {
  Channel& channel = fresh();
  int server = -1;
  const int client = pair(server);
  say(client, "before ");
  attach(channel, server);
  ASSERT_TRUE(turn_until([&] { return received(channel) == "before "; }));
  say(client, "after");
  ASSERT_TRUE(turn_until([&] { return received(channel) == "before after"; }));
  EXPECT_EQ(counters.bytes_in.get(), 12u);
  EXPECT_LE(returns_while_quiet(), 3);
}

TEST_P(Driving, ReadsOfExactlyTheBufferLoseNothing) {
  for (const size_t bytes :
       {kReadBytes - 1, kReadBytes, kReadBytes + 1, 2 * kReadBytes, 3 * kReadBytes + 7}) {
    Channel& channel = fresh();
    int server = -1;
    const int client = pair(server);
    const std::string sent = pattern(bytes);
    std::thread sender([&] { say(client, sent); });
    attach(channel, server);
    EXPECT_TRUE(turn_until([&] { return received(channel).size() >= bytes; })) << bytes;
    sender.join();
    EXPECT_EQ(received(channel), sent);
    EXPECT_LE(returns_while_quiet(), 3);
    say(client, "more");  // readiness is still told after a full read
    EXPECT_TRUE(turn_until([&] { return received(channel).size() >= bytes + 4; })) << bytes;
    driver.close(channel);
    turn(0);
    history.clear();
  }
}

TEST_P(Driving, SmallReceivesTakeEverythingToo) {
  Channel& channel = fresh();
  driver.set_receive_bytes_max(16);
  const int client = connected(channel);
  const std::string sent = pattern(16 * 20 + 5);
  say(client, sent);
  ASSERT_TRUE(turn_until([&] { return received(channel).size() >= sent.size(); }));
  EXPECT_EQ(received(channel), sent);
  for (const unit::Happened& it : history) EXPECT_LE(it.bytes.size(), 16u);
  driver.set_receive_bytes_max(SIZE_MAX);  // at most the buffer
  history.clear();
  say(client, pattern(1000));
  ASSERT_TRUE(turn_until([&] { return received(channel).size() >= 1000; }));
}

TEST_P(Driving, OneBusyChannelDoesNotKeepTheOthersWaiting) {
  Channel& busy = fresh();
  Channel& other = fresh();
  const int loud = connected(busy);
  const int quiet = connected(other);
  driver.set_receive_bytes_max(16);
  say(loud, pattern(16 * 50));
  say(quiet, "hello");
  ASSERT_TRUE(turn_until([&] { return received(other) == "hello"; }));
  EXPECT_LT(received(busy).size(), 16u * 50);
}

TEST_P(Driving, APausedChannelIsSilentAndLosesNothing) {
  Channel& channel = fresh();
  const int client = connected(channel);
  driver.pause(channel);
  driver.pause(channel);  // twice is as once
  say(client, "while paused");
  EXPECT_LE(returns_while_quiet(), 3);
  EXPECT_EQ(driver.bytes_readable(channel), 12u);
  driver.receive(channel);
  driver.receive(channel);
  ASSERT_TRUE(turn_until([&] { return !received(channel).empty(); }));
  EXPECT_EQ(received(channel), "while paused");
  EXPECT_EQ(driver.bytes_readable(channel), 0u);
}

TEST_P(Driving, PausedWhileItsEventIsDueItStaysSilent) {
  Channel& a = fresh();
  Channel& b = fresh();
  const int client_a = connected(a);
  const int client_b = connected(b);
  say(client_a, "x");
  say(client_b, "y");
  Channel* paused = nullptr;
  while (history.empty()) {
    turn(1000, [&](const unit::Happened& it) {
      if (paused != nullptr) return;
      paused = it.channel == &a ? &b : &a;
      driver.pause(*paused);
    });
  }
  EXPECT_EQ(received(*paused), "");
  EXPECT_LE(returns_while_quiet(), 3);
  driver.receive(*paused);
  ASSERT_TRUE(turn_until([&] { return received(*paused).size() == 1; }));
}

TEST_P(Driving, PausedBetweenTwoFullReadsItGoesOnWhereItWas) {
  Channel& channel = fresh();
  driver.set_receive_bytes_max(8);
  const int client = connected(channel);
  say(client, pattern(24));
  while (history.empty()) turn(1000, [&](const unit::Happened&) { driver.pause(channel); });
  EXPECT_EQ(received(channel), pattern(24).substr(0, 8));
  EXPECT_LE(returns_while_quiet(), 3);
  driver.receive(channel);
  ASSERT_TRUE(turn_until([&] { return received(channel).size() >= 24; }));
  EXPECT_EQ(received(channel), pattern(24));
}

TEST_P(Driving, AShortSendIsToldWhenThereIsRoomAgain) {
  Channel& channel = fresh();
  const int client = connected(channel);
  const std::string all = pattern(8 << 20);
  std::vector<iovec> pieces;
  for (size_t at = 0; at < all.size(); at += all.size() / 8) {
    pieces.push_back({const_cast<char*>(all.data()) + at, all.size() / 8});
  }
  const Sent first = driver.send(channel, pieces);
  ASSERT_EQ(first.error, 0);
  ASSERT_LT(first.bytes, all.size());
  EXPECT_LE(returns_while_quiet(), 3);  // no room: no kWritable
  std::string heard;
  std::thread reader([&] { heard = hear(client, all.size()); });
  size_t sent = first.bytes;
  bool writable_without_need = false;
  EXPECT_TRUE(turn_until([&] {
    for (const unit::Happened& it : std::exchange(history, {})) {
      if (it.kind != Kind::kWritable) continue;
      if (sent == all.size()) writable_without_need = true;
      const iovec rest{const_cast<char*>(all.data()) + sent, all.size() - sent};
      const Sent more = driver.send(channel, {&rest, 1});
      if (more.error != 0) return true;
      sent += more.bytes;
    }
    return sent == all.size();
  }));
  ::shutdown(channel.fd, SHUT_WR);
  reader.join();
  EXPECT_TRUE(heard == all);
  EXPECT_FALSE(writable_without_need);
  EXPECT_EQ(counters.bytes_out.get(), all.size());
}

TEST_P(Driving, ASendThatFitsAsksForNothing) {
  Channel& channel = fresh();
  const int client = connected(channel);
  const iovec pieces[] = {{const_cast<char*>("ab"), 2}, {const_cast<char*>("cde"), 3}};
  EXPECT_EQ(driver.send(channel, pieces).bytes, 5u);
  let_go(channel);
  EXPECT_EQ(hear(client, 5), "abcde");
  EXPECT_LE(returns_while_quiet(), 3);
}

TEST_P(Driving, APausedChannelIsToldThatItMayWrite) {
  Channel& channel = fresh();
  const int client = connected(channel);
  driver.pause(channel);
  say(client, "unread");
  const std::string all = pattern(8 << 20);
  const iovec piece{const_cast<char*>(all.data()), all.size()};
  const size_t sent = driver.send(channel, {&piece, 1}).bytes;
  ASSERT_LT(sent, all.size());
  EXPECT_EQ(hear(client, sent).size(), sent);
  ASSERT_TRUE(turn_until([&] { return count(channel, Kind::kWritable, 0) == 1; }));
  EXPECT_EQ(received(channel), "");
}

TEST_P(Driving, ASwappedReadBufferKeepsItsBytes) {
  if (!driver.traits().loop_may_move) return;  // nobody swaps it
  Channel& channel = fresh();
  const int client = connected(channel);
  say(client, "first");
  Block kept;
  const char* where = nullptr;
  Completion one;
  const TimePoint now = real_platform().clock.now();
  driver.wait(now, now + std::chrono::seconds(5));
  while (driver.next(one)) {
    where = one.bytes.data();
    kept = driver.swap_read_buffer(buffers.make(kReadBytes));
  }
  ASSERT_EQ(kept.data(), where);
  say(client, "second");
  ASSERT_TRUE(turn_until([&] { return received(channel) == "second"; }));
  EXPECT_EQ(std::string_view(kept.data(), 5), "first");
}

TEST_P(Driving, WakeEndsAWaitNowOrTheNextOne) {
  driver.wake();
  TimePoint before = real_platform().clock.now();
  EXPECT_TRUE(turn(5000).empty());
  EXPECT_LT(real_platform().clock.now() - before, std::chrono::seconds(4));
  EXPECT_LE(returns_while_quiet(), 3);  // it was used up
  std::thread other([&] { driver.wake(); });
  before = real_platform().clock.now();
  EXPECT_TRUE(turn(5000).empty());
  EXPECT_LT(real_platform().clock.now() - before, std::chrono::seconds(4));
  other.join();
}

TEST_P(Driving, ManyWakesAreOne) {
  for (int i = 0; i < 1000; ++i) driver.wake();
  EXPECT_TRUE(turn(5000).empty());
  EXPECT_LE(returns_while_quiet(), 3);
}

TEST_P(Driving, WaitRoundsUpAndDoesNotReturnEarly) {
  const TimePoint now = real_platform().clock.now();
  const TimePoint until = now + std::chrono::microseconds(2'300);
  driver.wait(now, until);
  EXPECT_GE(real_platform().clock.now(), until);
  Completion one;
  EXPECT_FALSE(driver.next(one));
}

TEST_P(Driving, SaysWhenItLeftReadyOnesBehind) {
  std::vector<int> clients;
  for (int i = 0; i < 300; ++i) {
    int both[2];
    ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, both), 0);
    attach(fresh(), both[0]);
    clients.push_back(both[1]);
    say(both[1], "x");
  }
  turn(1000);
  EXPECT_FALSE(driver.drained());
  ASSERT_TRUE(turn_until([&] { return history.size() >= 300; }));
  turn(0);
  EXPECT_EQ(history.size(), 300u);
  EXPECT_TRUE(driver.drained());
  for (const int client : clients) ::close(client);
}

TEST_P(Driving, ClosingTwiceAborts) {
  Channel& channel = fresh();
  connected(channel);
  EXPECT_DEATH(
      {
        driver.close(channel);
        driver.close(channel);
      },
      "a channel is closed twice");
}

}  // namespace
}}  // namespace trireme
