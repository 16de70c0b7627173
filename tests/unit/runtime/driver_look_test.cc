// Goal: a caller that looks again and again is told what one that waits is told, also while one
// channel speaks alone, which some drivers then ask in a cheaper way. Method: each driver of the
// conformance suite, with a channel that was alone for some time.
#include "support/unit_driver.h"

namespace trireme { inline namespace v0 { namespace {

constexpr int kAlone = 20;  // requests: more than it takes to be believed

class Looking : public unit::DriverFixture {
 protected:
  // One look, and all that it has found.
  void look() {
    driver.look(real_platform().clock.now());
    take_all();
  }
  ::testing::AssertionResult look_until(const std::function<bool()>& done) {
    return repeat_until(done, [this] { look(); });
  }
  void speak_alone(const Channel& channel, int client) {
    for (int i = 0; i < kAlone; ++i) {
      say(client, "alone");
      ASSERT_TRUE(look_until([&] { return received(channel) == "alone"; }));
      history.clear();
    }
  }
  void look_in_vain() {
    for (int i = 0; i < 100; ++i) look();
    EXPECT_TRUE(history.empty());
  }
};

INSTANTIATE_TEST_SUITE_P(Drivers, Looking, ::testing::ValuesIn(unit::drivers()), unit::driver_name);

TEST_P(Looking, WhoSpeaksAloneIsHeard) {
  Channel& channel = fresh();
  const int client = connected(channel);
  speak_alone(channel, client);
  look_in_vain();
  EXPECT_EQ(counters.bytes_in.get(), 5u * kAlone);
}

TEST_P(Looking, OthersAreHeardBesideOneThatDoesNotStop) {
  Channel& loud = fresh();
  Channel& other = fresh();
  const int loud_client = connected(loud);
  const int client = connected(other);
  speak_alone(loud, loud_client);
  say(client, "hello");
  int looks = 0;
  for (; received(other).empty() && looks < 100; ++looks) {
    say(loud_client, "more");
    look();
  }
  EXPECT_LE(looks, 8);
  EXPECT_TRUE(look_until([&] { return received(loud).size() == 4u * static_cast<size_t>(looks); }));
}

TEST_P(Looking, APausedChannelIsNotAsked) {
  Channel& channel = fresh();
  const int client = connected(channel);
  speak_alone(channel, client);
  driver.pause(channel);
  say(client, "while paused");
  look_in_vain();
  driver.receive(channel);
  EXPECT_TRUE(look_until([&] { return received(channel) == "while paused"; }));
}

TEST_P(Looking, AClosedChannelIsNotAskedNorWhoeverHasItsDescriptor) {
  Channel& channel = fresh();
  Channel& next = fresh();
  const int client = connected(channel);
  speak_alone(channel, client);
  say(client, "unheard");
  driver.close(channel);
  EXPECT_TRUE(look_until([&] { return count(channel, Kind::kClosed, 0) == 1; }));
  EXPECT_EQ(received(channel), "");
  history.clear();
  say(connected(next), "heard");
  EXPECT_TRUE(look_until([&] { return received(next) == "heard"; }));
  EXPECT_EQ(received(channel), "");
}

TEST_P(Looking, WhatComesInTheMemoryOfAClosedChannelIsNotTakenForIt) {
  Channel& channel = fresh();
  const int client = connected(channel);
  speak_alone(channel, client);
  driver.close(channel);
  EXPECT_TRUE(look_until([&] { return count(channel, Kind::kClosed, 0) == 1; }));
  history.clear();
  sockaddr_in address;
  attach(channel, listen_somewhere(address), Channel::Role::kListener);
  look_in_vain();
}

TEST_P(Looking, MoreThanABufferIsHeardInOrder) {
  Channel& channel = fresh();
  const int client = connected(channel);
  speak_alone(channel, client);
  driver.set_receive_bytes_max(16);
  std::string text;
  for (char c = 'a'; c <= 'z'; ++c) text += std::string(20, c);
  say(client, text);
  EXPECT_TRUE(look_until([&] { return received(channel).size() >= text.size(); }));
  EXPECT_EQ(received(channel), text);
}

TEST_P(Looking, TheEndIsToldOnceBehindTheLastBytes) {
  Channel& channel = fresh();
  const int client = connected(channel);
  speak_alone(channel, client);
  say(client, "last");
  hang_up(client);
  EXPECT_TRUE(look_until([&] { return ended(channel); }));
  EXPECT_EQ(received(channel), "last");
  history.clear();
  look_in_vain();
  EXPECT_LE(returns_while_quiet(), 3);
}

TEST_P(Looking, AResetIsToldOnce) {
  Channel& channel = fresh();
  const int client = connected(channel);
  speak_alone(channel, client);
  reset(client);
  EXPECT_TRUE(look_until([&] { return was_reset(channel); }));
  history.clear();
  look_in_vain();
  EXPECT_LE(returns_while_quiet(), 3);
}

}  // namespace
}}  // namespace trireme
