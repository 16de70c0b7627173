// Goal: a driver on real sockets, driven turn by turn. Method: loopback TCP pairs; every turn gives
// out all of its completions, copied; waits have a deadline, and a quiet stretch counts how often
// the driver came back.
#pragma once

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <deque>
#include <functional>
#include <memory>
#include <ostream>
#include <string>
#include <vector>

#include "runtime/counters.h"
#include "runtime/drivers/driver.h"
#include "runtime/threads/threads.h"

namespace trireme { inline namespace v0 { namespace unit {

struct Happened {
  Completion::Kind kind;
  const Channel* channel;
  int result;
  std::string bytes;
};

// What a driver cannot watch.
enum class Refuses { kNothing, kFiles, kHighDescriptors };

// A driver, and where the system call behind it leaves it a choice.
struct DriverCase {
  const char* name;
  std::unique_ptr<Driver> (*make)(Kernel& kernel, Buffers& buffers, LoopCounters& counters);
  Refuses refuses;
  // An error of a channel that neither reads nor writes is told.
  bool tells_hang_up_unasked = true;
  bool accepts_by_itself = false;  // kAccepted, not kAcceptable
};

// Defined once in every program that runs the suite.
std::vector<DriverCase> drivers();
inline void PrintTo(const DriverCase& it, std::ostream* out) { *out << it.name; }

class DriverFixture : public ::testing::TestWithParam<DriverCase> {
 protected:
  using Kind = Completion::Kind;

  DriverFixture()
      : owned_(GetParam().make(real_platform().kernel, buffers, counters)), driver(*owned_) {}

  void TearDown() override {
    for (Channel& channel : channels_) {
      if (channel.fd >= 0) driver.close(channel);
    }
    EXPECT_TRUE(turn_until([this] {
      return std::all_of(channels_.begin(), channels_.end(),
                         [](const Channel& channel) { return channel.flags == 0; });
    })) << "kClosed did not come";
    for (const Happened& it : history) {
      if (it.kind == Kind::kAccepted && it.result >= 0) ::close(it.result);
    }
    for (const int fd : ours_) ::close(fd);
  }

  // Lives as long as the fixture: TearDown closes what is still attached.
  Channel& fresh() { return channels_.emplace_back(); }

  // A listening socket at a free port of the loopback, and a client that connects to it.
  static int listen_somewhere(sockaddr_in& address) {
    const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    address = {};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof(address);
    EXPECT_EQ(::bind(fd, reinterpret_cast<sockaddr*>(&address), size), 0);
    EXPECT_EQ(::listen(fd, 512), 0);
    EXPECT_EQ(::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size), 0);
    return fd;
  }
  int connect_to(const sockaddr_in& address) {
    const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    EXPECT_EQ(::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof(address)), 0);
    const int on = 1;
    ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    ours_.push_back(fd);
    return fd;
  }
  // Returns the client's descriptor (blocking); the server's end is attached to `channel`.
  int connected(Channel& channel) {
    int server = -1;
    const int client = pair(server);
    attach(channel, server);
    return client;
  }
  int pair(int& server) {
    sockaddr_in address;
    const int listener = listen_somewhere(address);
    const int client = connect_to(address);
    server = ::accept4(listener, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
    EXPECT_GE(server, 0);
    ::close(listener);
    return client;
  }
  void attach(Channel& channel, int fd, Channel::Role role = Channel::Role::kStream) {
    ASSERT_EQ(driver.attach(channel, role, fd), 0);
  }

  // What was sent is with the kernel, all of it.
  void let_go(Channel& channel) { EXPECT_EQ(driver.settle(channel).bytes.size(), 0u); }

  static void say(int client, const std::string& bytes) {
    size_t sent = 0;
    while (sent < bytes.size()) {
      const ssize_t result = ::send(client, bytes.data() + sent, bytes.size() - sent, MSG_NOSIGNAL);
      ASSERT_GT(result, 0);
      sent += static_cast<size_t>(result);
    }
  }
  void hang_up(int client) { close_ours(client); }
  void reset(int client) {
    const linger now{1, 0};
    ASSERT_EQ(::setsockopt(client, SOL_SOCKET, SO_LINGER, &now, sizeof(now)), 0);
    close_ours(client);
  }
  static std::string hear(int client, size_t bytes) {
    std::string heard(bytes, '\0');
    size_t have = 0;
    // A ring of the test before that is closed interrupts: MSG_WAITALL may be short.
    for (ssize_t result = 1; have < bytes && (result > 0 || errno == EINTR);) {
      result = ::recv(client, heard.data() + have, bytes - have, MSG_WAITALL);
      if (result > 0) have += static_cast<size_t>(result);
      if (result == 0) break;
    }
    heard.resize(have);
    return heard;
  }

  // One wait and all its completions; `meanwhile` runs after each, while the others are still due.
  std::vector<Happened> turn(int ms_max,
                             const std::function<void(const Happened&)>& meanwhile = {}) {
    const TimePoint now = real_platform().clock.now();
    driver.wait(now, now + std::chrono::milliseconds(ms_max));
    return take_all(meanwhile);
  }
  // All completions of a wait or a look.
  std::vector<Happened> take_all(const std::function<void(const Happened&)>& meanwhile = {}) {
    std::vector<Happened> all;
    Completion one;
    while (driver.next(one)) {
      const std::string bytes(one.bytes.data(), one.bytes.size());
      all.push_back({one.kind, one.channel, one.result, bytes});
      history.push_back(all.back());
      if (meanwhile) meanwhile(all.back());
    }
    return all;
  }
  // Turns until `done`, or fails after five seconds.
  ::testing::AssertionResult turn_until(const std::function<bool()>& done) {
    return repeat_until(done, [this] { turn(100); });
  }
  static ::testing::AssertionResult repeat_until(const std::function<bool()>& done,
                                                 const std::function<void()>& step) {
    const TimePoint deadline = real_platform().clock.now() + std::chrono::seconds(5);
    while (!done()) {
      if (real_platform().clock.now() > deadline) return ::testing::AssertionFailure() << "in vain";
      step();
    }
    return ::testing::AssertionSuccess();
  }
  // How often wait came back in a stretch in which nothing happens. A driver that spins: thousands
  // of times.
  int returns_while_quiet() {
    const TimePoint end = real_platform().clock.now() + std::chrono::milliseconds(30);
    int returns = 0;
    while (real_platform().clock.now() < end) {
      ++returns;
      for (const Happened& it : turn(30)) {
        ADD_FAILURE() << "not quiet: kind " << static_cast<int>(it.kind) << ", result "
                      << it.result;
      }
    }
    return returns;
  }

  std::string received(const Channel& channel) const {
    std::string all;
    for (const Happened& it : history) {
      if (it.kind == Kind::kReceived && it.channel == &channel) all += it.bytes;
    }
    return all;
  }
  int count(const Channel& channel, Kind kind, int result) const {
    int count = 0;
    for (const Happened& it : history) {
      count += it.channel == &channel && it.kind == kind && it.result == result ? 1 : 0;
    }
    return count;
  }
  // kClosed came, in this turn or a later one.
  void expect_closed(const Channel& channel) {
    EXPECT_TRUE(turn_until([&] { return count(channel, Kind::kClosed, 0) == 1; }));
  }
  bool ended(const Channel& channel) const { return count(channel, Kind::kReceived, 0) > 0; }
  bool was_reset(const Channel& channel) const {
    return count(channel, Kind::kReceived, -ECONNRESET) > 0;
  }

  Buffers buffers{1 << 24};
  LoopCounters counters;

 private:
  const std::unique_ptr<Driver> owned_;

 protected:
  Driver& driver;
  std::vector<Happened> history;  // of all turns

 private:
  void close_ours(int fd) {
    std::erase(ours_, fd);
    ::close(fd);
  }

  std::deque<Channel> channels_;
  std::vector<int> ours_;
};

inline std::string driver_name(const ::testing::TestParamInfo<DriverCase>& info) {
  std::string name = info.param.name;
  std::replace_if(
      name.begin(), name.end(), [](char c) { return c == '-' || c == ' ' || c == '.'; }, '_');
  return name;
}

}}}  // namespace trireme::unit
