// Goal: errors of single operations of the ring are met, told once, and cost nobody else anything;
// what was gathered to be sent is never lost and never out of order. Method: operations that fail
// by plan, on the fixture of the conformance suite.
#include <map>
#include <thread>

#include "support/unit_driver.h"
#include "trireme/uring.h"
#include "uring/uring_driver.h"

namespace trireme { inline namespace v0 { namespace {

using uring::Op;

class Plan final : public uring::Faults {
 public:
  int fail(Op op) override {
    auto& [error, times] = plan_[op];
    if (times == 0) return 0;
    --times;
    ++met;
    return error;
  }
  void next(Op op, int error, int times) { plan_[op] = {error, times}; }
  int met = 0;

 private:
  std::map<Op, std::pair<int, int>> plan_;
};

Plan* plan = nullptr;  // of the test that runs

std::unique_ptr<Driver> make(Kernel& kernel, Buffers& buffers, LoopCounters& counters) {
  auto driver = std::make_unique<uring::UringDriver>(kernel, buffers, counters,
                                                     uring::UringDriver::Sizes{}, plan);
  EXPECT_EQ(driver->open(), 0);
  return driver;
}

// Made before the driver.
struct WithPlan {
  WithPlan() { plan = &faults; }
  ~WithPlan() { plan = nullptr; }
  Plan faults;
};

class RingFaults : private WithPlan, public unit::DriverFixture {
 protected:
  using WithPlan::faults;

  Sent send(Channel& channel, const std::string& bytes) {
    const iovec piece{const_cast<char*>(bytes.data()), bytes.size()};
    return driver.send(channel, {&piece, 1});
  }
  int accepted(const Channel& listener) const {
    return static_cast<int>(std::count_if(history.begin(), history.end(), [&](const auto& it) {
      return it.kind == Kind::kAccepted && it.channel == &listener && it.result >= 0;
    }));
  }
  // Everything that came back unsent, in order.
  std::string unsent(const Channel& channel, int error) const {
    std::string all;
    for (const unit::Happened& it : history) {
      if (it.channel != &channel || it.kind != Kind::kUnsent) continue;
      EXPECT_EQ(it.result, error);
      all += it.bytes;
    }
    return all;
  }
};

std::vector<unit::DriverCase> cases() {
  ServerOptions options;
  if (!use_io_uring(options)) return {};
  return {{.name = "io_uring", .make = make, .refuses = unit::Refuses::kNothing}};
}
INSTANTIATE_TEST_SUITE_P(Uring, RingFaults, ::testing::ValuesIn(cases()), unit::driver_name);
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(RingFaults);

TEST_P(RingFaults, AReceiveThatEndsWithoutReasonIsStartedAnew) {
  for (const int error : {ENOBUFS, EINTR, EAGAIN, ECANCELED}) {
    for (const int times : {1, 3}) {
      Channel& channel = fresh();
      faults.met = 0;
      faults.next(Op::kReceive, error, times);
      const int client = connected(channel);
      say(client, "heard");
      ASSERT_TRUE(turn_until([&] { return received(channel) == "heard"; })) << error;
      EXPECT_EQ(faults.met, times);
      EXPECT_LE(returns_while_quiet(), 3);
    }
  }
}

TEST_P(RingFaults, AReceiveThatFailsIsToldOnceAndCostsThatChannelOnly) {
  for (const int error : {ECONNRESET, ETIMEDOUT, EHOSTUNREACH, ENOMEM, ENOTCONN, EINVAL, EBADF}) {
    Channel& other = fresh();
    const int other_client = connected(other);
    turn(0);
    Channel& channel = fresh();
    faults.next(Op::kReceive, error, 1);
    const int client = connected(channel);
    ASSERT_TRUE(turn_until([&] { return count(channel, Kind::kReceived, -error) == 1; }));
    say(client, "unheard");
    EXPECT_LE(returns_while_quiet(), 3);
    say(other_client, "heard");
    ASSERT_TRUE(turn_until([&] { return received(other) == "heard"; }));
    driver.close(channel);
    expect_closed(channel);
    EXPECT_EQ(count(channel, Kind::kReceived, -error), 1);
  }
}

// Told once, and accepting goes on: whoever is told decides whether it pauses.
TEST_P(RingFaults, AnAcceptThatFailsIsToldOnceAndGoesOn) {
  Channel& listener = fresh();
  sockaddr_in address;
  attach(listener, listen_somewhere(address), Channel::Role::kListener);
  for (const int error : {EMFILE, ENFILE, ENOBUFS, ENOMEM, ECONNABORTED, EPERM, EAGAIN}) {
    driver.pause(listener);
    turn(0);
    driver.receive(listener);
    history.clear();
    faults.met = 0;
    faults.next(Op::kAccept, error, 1);
    connect_to(address);
    ASSERT_TRUE(turn_until([&] { return accepted(listener) == 1; })) << error;
    EXPECT_EQ(faults.met, 1);
    EXPECT_EQ(count(listener, Kind::kAccepted, -error), 1);
    EXPECT_LE(returns_while_quiet(), 3);
  }
}

TEST_P(RingFaults, AnAcceptThatEndsWithoutReasonIsStartedAnew) {
  for (const int error : {EINTR, ECANCELED}) {
    Channel& listener = fresh();
    sockaddr_in address;
    faults.next(Op::kAccept, error, 3);
    attach(listener, listen_somewhere(address), Channel::Role::kListener);
    connect_to(address);
    ASSERT_TRUE(turn_until([&] { return accepted(listener) == 1; })) << error;
    EXPECT_EQ(count(listener, Kind::kAccepted, -error), 0);
    driver.close(listener);
    expect_closed(listener);
  }
}

TEST_P(RingFaults, AKernelWithoutMultishotAcceptTakesClientsOneByOne) {
  Channel& listener = fresh();
  sockaddr_in address;
  faults.next(Op::kAccept, EINVAL, 1);
  attach(listener, listen_somewhere(address), Channel::Role::kListener);
  for (int i = 0; i < 5; ++i) connect_to(address);
  turn(0);  // refused
  for (int taken = 1; taken <= 5; ++taken) {
    turn(1000);
    EXPECT_EQ(accepted(listener), taken);
  }
  EXPECT_EQ(count(listener, Kind::kAccepted, -EINVAL), 0);
  faults.next(Op::kAccept, EINVAL, 1);  // not for that reason
  ASSERT_TRUE(turn_until([&] {
    connect_to(address);
    return count(listener, Kind::kAccepted, -EINVAL) == 1;
  }));
}

TEST_P(RingFaults, AClientThatHasNoAddressAnyMoreIsClosed) {
  Channel& listener = fresh();
  sockaddr_in address;
  attach(listener, listen_somewhere(address), Channel::Role::kListener);
  faults.next(Op::kPeer, ENOTCONN, 1);
  const int client = connect_to(address);
  ASSERT_TRUE(turn_until([&] { return faults.met == 1; }));
  EXPECT_EQ(hear(client, 1), "");
  connect_to(address);
  ASSERT_TRUE(turn_until([&] { return accepted(listener) == 1; }));
  EXPECT_LE(returns_while_quiet(), 3);
}

TEST_P(RingFaults, WhatWasNotSentComesBackWhole) {
  for (const int error : {EAGAIN, EINTR, ENOBUFS, ENOMEM, EPIPE, ECONNRESET}) {
    Channel& channel = fresh();
    const int client = connected(channel);
    faults.next(Op::kSend, error, 1);
    EXPECT_EQ(send(channel, "one ").bytes, 4u);
    EXPECT_EQ(send(channel, "two").bytes, 3u);
    const bool for_a_moment = error == EAGAIN || error == EINTR;
    ASSERT_TRUE(turn_until([&] { return !unsent(channel, for_a_moment ? 0 : -error).empty(); }));
    EXPECT_EQ(unsent(channel, for_a_moment ? 0 : -error), "one two");
    if (for_a_moment) {
      EXPECT_TRUE(turn_until([&] { return count(channel, Kind::kWritable, 0) == 1; }));
    }
    history.clear();
    EXPECT_EQ(send(channel, "one two three").bytes, 13u);
    let_go(channel);
    EXPECT_EQ(hear(client, 13), "one two three");
    EXPECT_LE(returns_while_quiet(), 3);
  }
}

// A large send lets go of the small one before it, and a small one behind it is gathered anew.
TEST_P(RingFaults, SmallAndLargeSendsInOneTurnLeaveOnceAndInOrder) {
  Channel& channel = fresh();
  const int client = connected(channel);
  const std::string large(40 << 10, 'L');
  std::string said;
  for (const std::string& part :
       {std::string("a"), large, std::string("b"), std::string("c"), large, std::string("d")}) {
    ASSERT_EQ(send(channel, part).bytes, part.size());
    said += part;
  }
  turn(0);
  let_go(channel);
  EXPECT_EQ(send(channel, "end").bytes, 3u);
  let_go(channel);
  EXPECT_TRUE(hear(client, said.size() + 3) == said + "end");
  EXPECT_EQ(counters.bytes_out.get(), said.size() + 3);
}

// A send that comes before the rest of the last one is told must not overtake it.
TEST_P(RingFaults, NothingOvertakesWhatCameBack) {
  Channel& channel = fresh();
  connected(channel);
  faults.next(Op::kSend, EAGAIN, 1);
  ASSERT_EQ(send(channel, "first").bytes, 5u);
  const TimePoint now = real_platform().clock.now();
  driver.wait(now, now);
  const Sent second = send(channel, "second");
  EXPECT_EQ(second.bytes, 0u);
  EXPECT_EQ(second.error, 0);
  const Unsent back = driver.settle(channel);
  EXPECT_EQ(std::string_view(back.bytes.data(), back.bytes.size()), "first");
  Completion one;
  while (driver.next(one)) EXPECT_NE(one.kind, Kind::kUnsent) << "it was given back twice";
}

TEST_P(RingFaults, APollForRoomThatFailsIsToldAsWritable) {
  Channel& channel = fresh();
  connected(channel);
  faults.next(Op::kWritable, ENOMEM, 1);
  ASSERT_LT(send(channel, std::string(8 << 20, 'z')).bytes, size_t{8 << 20});
  ASSERT_TRUE(turn_until([&] { return count(channel, Kind::kWritable, 0) == 1; }));
}

TEST_P(RingFaults, APollForHangUpThatFailsCostsNothing) {
  Channel& channel = fresh();
  const int client = connected(channel);
  turn(0);
  faults.next(Op::kHangUp, ENOMEM, 1);
  driver.pause(channel);
  say(client, "kept");
  EXPECT_LE(returns_while_quiet(), 4);
  driver.receive(channel);
  ASSERT_TRUE(turn_until([&] { return received(channel) == "kept"; }));
}

TEST_P(RingFaults, WakeUpsAreHeardAlthoughTheirPollFails) {
  faults.next(Op::kWake, ENOMEM, 3);
  std::thread other([&] { driver.wake(); });
  for (int turns = 0; turns < 4; ++turns) {
    const TimePoint before = real_platform().clock.now();
    turn(5000);
    EXPECT_LT(real_platform().clock.now() - before, std::chrono::seconds(4));
  }
  other.join();
  EXPECT_EQ(faults.met, 3);
}

// Small sends against a client that does not read, until the socket is full: what comes back is
// what has not left, and all of it arrives in order.
TEST_P(RingFaults, GatheredSendsThatDoNotFitAreNotLost) {
  Channel& channel = fresh();
  const int client = connected(channel);
  std::string said, waiting;
  int number = 0;
  while (waiting.empty()) {
    ASSERT_LT(number, 1'000'000);
    for (int i = 0; i < 500; ++i) {
      const std::string word = std::to_string(number++) + " ";
      said += word;
      const Sent sent = send(channel, word);
      ASSERT_EQ(sent.error, 0);
      waiting += word.substr(sent.bytes);
    }
    turn(0);
    for (const unit::Happened& it : std::exchange(history, {})) {
      if (it.kind == Kind::kUnsent) waiting = it.bytes + waiting;
    }
  }
  std::string heard;
  std::thread reader([&] { heard = hear(client, said.size()); });
  EXPECT_TRUE(turn_until([&] {
    for (const unit::Happened& it : std::exchange(history, {})) {
      if (it.kind == Kind::kUnsent) waiting = it.bytes + waiting;
      if (it.kind == Kind::kWritable) waiting.erase(0, send(channel, waiting).bytes);
    }
    return waiting.empty();
  }));
  turn(0);
  let_go(channel);
  ::shutdown(channel.fd, SHUT_WR);
  reader.join();
  EXPECT_TRUE(heard == said);
  EXPECT_EQ(counters.bytes_out.get(), said.size());
}

}  // namespace
}}  // namespace trireme
