// Goal: every driver brings in whoever connects to a listening socket, once, in the backlog while
// it is paused, and no descriptor is lost, whether it tells that clients wait or accepts by itself.
// Method: the conformance suite's fixture; who is told that clients wait accepts all of them.
#include <fcntl.h>

#include <algorithm>
#include <cstring>
#include <map>
#include <utility>
#include <vector>

#include "support/test_server.h"
#include "support/unit_driver.h"
#include "support/unit_seed.h"

namespace trireme { inline namespace v0 { namespace {

class Welcoming : public unit::DriverFixture {
 protected:
  Channel& open() {
    Channel& listener = fresh();
    attach(listener, listen_somewhere(address), Channel::Role::kListener);
    return listener;
  }
  // The client's port.
  uint16_t come() {
    clients.push_back(connect_to(address));
    sockaddr_in own{};
    socklen_t size = sizeof(own);
    EXPECT_EQ(::getsockname(clients.back(), reinterpret_cast<sockaddr*>(&own), &size), 0);
    return ntohs(own.sin_port);
  }
  std::vector<uint16_t> come(size_t count) {
    std::vector<uint16_t> ports;
    for (size_t i = 0; i < count; ++i) ports.push_back(come());
    return ports;
  }
  // One turn, in which all who wait are taken, each followed by `meanwhile`.
  void welcome(Channel& listener, int ms_max, const std::function<void()>& meanwhile = {}) {
    const TimePoint now = real_platform().clock.now();
    driver.wait(now, now + std::chrono::milliseconds(ms_max));
    Completion one;
    while (driver.next(one)) {
      if (one.kind == Kind::kAccepted && one.result >= 0) {
        SocketAddress peer;
        std::memcpy(&peer.storage, one.bytes.data(), one.bytes.size());
        take(one.result, peer);
      }
      while (one.kind == Kind::kAcceptable && listener.fd >= 0) {
        SocketAddress peer;
        const int fd = real_platform().kernel.accept(listener.fd, peer);
        if (fd < 0) break;
        take(fd, peer);
      }
      if (one.kind == Kind::kClosed) closed = true;
      if (one.kind != Kind::kClosed && meanwhile) meanwhile();
    }
  }
  ::testing::AssertionResult welcome_until(Channel& listener, const std::function<bool()>& done) {
    const TimePoint deadline = real_platform().clock.now() + std::chrono::seconds(5);
    while (!done()) {
      if (real_platform().clock.now() > deadline) {
        return ::testing::AssertionFailure() << "only " << taken.size();
      }
      welcome(listener, 100);
    }
    return ::testing::AssertionSuccess();
  }
  bool all_in(const std::vector<uint16_t>& ports) const {
    return std::all_of(ports.begin(), ports.end(),
                       [this](uint16_t port) { return taken.count(port) == 1; });
  }
  void TearDown() override {
    for (const auto& [port, fd] : taken) ::close(fd);
    unit::DriverFixture::TearDown();
  }

  sockaddr_in address{};
  std::vector<int> clients;
  std::map<uint16_t, int> taken;  // by the client's port: what the driver or accept(2) has told
  bool closed = false;

 private:
  void take(int fd, const SocketAddress& peer) {
    sockaddr_in in{};
    std::memcpy(&in, &peer.storage, sizeof(in));
    EXPECT_TRUE(taken.emplace(ntohs(in.sin_port), fd).second) << "twice, or of no address";
  }
};
INSTANTIATE_TEST_SUITE_P(Drivers, Welcoming, ::testing::ValuesIn(unit::drivers()),
                         unit::driver_name);

// Level-triggered: whoever is told need not take everybody.
TEST_P(Welcoming, TellsOnceATurnThatClientsWaitAndPauses) {
  if (GetParam().accepts_by_itself) return;
  Channel& listener = open();
  come(3);
  for (int told = 0; told < 2; ++told) {  // nobody was accepted: again
    ASSERT_EQ(turn(5000).size(), 1u);
    EXPECT_EQ(history.back().kind, Kind::kAcceptable);
    EXPECT_EQ(history.back().channel, &listener);
  }
  driver.pause(listener);
  EXPECT_LE(returns_while_quiet(), 3);
  driver.receive(listener);
  ASSERT_EQ(turn(5000).size(), 1u);
  for (int i = 0; i < 3; ++i) ::close(::accept(listener.fd, nullptr, nullptr));
  EXPECT_LE(returns_while_quiet(), 3);
}

TEST_P(Welcoming, WhoeverComesIsTakenOnceWithItsAddress) {
  Channel& listener = open();
  std::vector<uint16_t> ports = come(3);
  ASSERT_TRUE(welcome_until(listener, [&] { return all_in(ports); }));
  EXPECT_LE(returns_while_quiet(), 3);
  for (int i = 0; i < 3; ++i) {
    ports.push_back(come());
    ASSERT_TRUE(welcome_until(listener, [&] { return all_in(ports); }));
  }
  EXPECT_EQ(taken.size(), 6u);
  for (size_t i = 0; i < ports.size(); ++i) {
    const int fd = taken.at(ports[i]);
    EXPECT_NE(::fcntl(fd, F_GETFL) & O_NONBLOCK, 0);
    EXPECT_NE(::fcntl(fd, F_GETFD) & FD_CLOEXEC, 0);
    ASSERT_EQ(::send(fd, "hello", 5, MSG_NOSIGNAL), 5);
    EXPECT_EQ(hear(clients[i], 5), "hello");
  }
}

TEST_P(Welcoming, ManyAtOnce) {
  Channel& listener = open();
  const std::vector<uint16_t> ports = come(400);
  ASSERT_TRUE(welcome_until(listener, [&] { return all_in(ports); }));
  EXPECT_EQ(taken.size(), 400u);
  EXPECT_LE(returns_while_quiet(), 3);
}

TEST_P(Welcoming, WhilePausedTheyWaitInTheBacklog) {
  Channel& listener = open();
  welcome(listener, 0);
  driver.pause(listener);
  driver.pause(listener);  // twice is as once
  welcome(listener, 0);
  const std::vector<uint16_t> ports = come(5);
  EXPECT_LE(returns_while_quiet(), 3);
  EXPECT_TRUE(taken.empty());
  driver.receive(listener);
  driver.receive(listener);
  ASSERT_TRUE(welcome_until(listener, [&] { return all_in(ports); }));
}

// Pauses at any moment cost nobody anything.
TEST_P(Welcoming, PausesBetweenLoseNobody) {
  Random random = unit::seeded_random();
  Channel& listener = open();
  std::vector<uint16_t> ports;
  for (int round = 0; round < 100; ++round) {
    const bool at_once = random.chance(1, 2);
    const std::vector<uint16_t> more = come(random.below(4));
    ports.insert(ports.end(), more.begin(), more.end());
    welcome(listener, 0, [&] {
      if (random.chance(1, 2)) driver.pause(listener);
    });
    if (random.chance(1, 3)) driver.pause(listener);
    if (!at_once) welcome(listener, 0);
    driver.receive(listener);
  }
  ASSERT_TRUE(welcome_until(listener, [&] { return all_in(ports); }));
  EXPECT_EQ(taken.size(), ports.size());
  EXPECT_LE(returns_while_quiet(), 3);
}

// It is told as one that has reset, or not at all; nobody else pays.
TEST_P(Welcoming, AResetClientInTheBacklogCostsNobodyElseAnything) {
  const size_t descriptors = support::open_descriptors();
  Channel& listener = open();
  for (int round = 0; round < 3; ++round) {
    const uint16_t lost = come();
    reset(clients.back());
    const uint16_t kept = come();
    ASSERT_TRUE(welcome_until(listener, [&] { return all_in({kept}); }));
    if (taken.count(lost) == 1) {
      char byte = 0;
      EXPECT_EQ(::recv(taken.at(lost), &byte, 1, 0), -1);
      ::close(taken.at(lost));
      taken.erase(lost);
    }
    ::close(taken.at(kept));
    taken.erase(kept);
    hang_up(clients.back());
  }
  driver.close(listener);
  ASSERT_TRUE(welcome_until(listener, [&] { return closed; }));
  EXPECT_EQ(support::open_descriptors(), descriptors);
  EXPECT_LE(returns_while_quiet(), 3);
}

TEST_P(Welcoming, AListenerClosesWhileClientsWait) {
  const size_t descriptors = support::open_descriptors();
  for (const bool heard_before : {false, true}) {
    Channel& listener = open();
    if (heard_before) welcome(listener, 0);
    come(10);
    if (heard_before) {
      welcome(listener, 1000, [&] {
        if (listener.fd >= 0) driver.close(listener);
      });
    } else {
      driver.close(listener);
    }
    ASSERT_TRUE(welcome_until(listener, [&] { return std::exchange(closed, false); }));
    EXPECT_EQ(listener.flags, 0);
    const size_t told = taken.size();
    for (const int client : clients) {  // each is in, or was told that it is not
      char byte = 0;
      const bool is_in = ::recv(client, &byte, 1, MSG_DONTWAIT) == -1 && errno == EAGAIN;
      if (!is_in) hang_up(client);
    }
    welcome(listener, 0);
    EXPECT_EQ(taken.size(), told) << "somebody was told after the end";
    for (const auto& [port, fd] : taken) ::close(fd);
    EXPECT_EQ(support::open_descriptors(), descriptors + told);
    if (told > 0) {
      for (const int client : std::exchange(clients, {})) {
        if (::fcntl(client, F_GETFD) != -1) hang_up(client);
      }
    }
    taken.clear();
    clients.clear();
    EXPECT_LE(returns_while_quiet(), 3);
  }
}

// When kClosed has come, the socket is gone, and its port is free.
TEST_P(Welcoming, AClosedListenersPortIsFree) {
  for (int round = 0; round < 20; ++round) {
    Channel& listener = open();
    if (round % 2 == 0) welcome(listener, 0);
    driver.close(listener);
    ASSERT_TRUE(welcome_until(listener, [&] { return std::exchange(closed, false); }));
    const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    EXPECT_EQ(::bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof(address)), 0);
    ::close(fd);
  }
}

}  // namespace
}}  // namespace trireme
