// Goal: the service manager is told READY=1, STOPPING=1 and, while the loops turn, WATCHDOG=1; it
// is never waited for. Method: the real program with NOTIFY_SOCKET at a datagram socket of this
// test.
#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <string>
#include <utility>
#include <vector>

#include "support/child.h"
#include "support/client.h"
#include "support/temporary_folder.h"
#include "support/text.h"

namespace {
using support::contains;

using support::Child;
using support::Client;
using support::wait_until;

// The service manager's end.
class Manager {
 public:
  // A path, or '@' and an abstract name.
  explicit Manager(const std::string& name) : name_(name) {
    fd_ = ::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    sockaddr_un un{};
    un.sun_family = AF_UNIX;
    std::memcpy(un.sun_path, name.data(), name.size());
    if (name.front() == '@') un.sun_path[0] = '\0';
    const size_t bytes = offsetof(sockaddr_un, sun_path) + name.size();
    ::bind(fd_, reinterpret_cast<const sockaddr*>(&un), static_cast<socklen_t>(bytes));
  }
  ~Manager() { ::close(fd_); }
  Manager(const Manager&) = delete;
  Manager& operator=(const Manager&) = delete;

  // The next message, waited for; empty at the deadline.
  std::string next() {
    pollfd asked{fd_, POLLIN, 0};
    constexpr int kMs = std::chrono::milliseconds(support::kDeadline).count();
    if (::poll(&asked, 1, kMs) != 1) return {};
    char bytes[4096];
    const ssize_t size = ::recv(fd_, bytes, sizeof(bytes), 0);
    return std::string(bytes, size > 0 ? static_cast<size_t>(size) : 0);
  }
  // All that has come.
  std::vector<std::string> all() {
    std::vector<std::string> messages;
    pollfd asked{fd_, POLLIN, 0};
    while (::poll(&asked, 1, 0) == 1) messages.push_back(next());
    return messages;
  }

  using Environment = std::vector<std::pair<std::string, std::string>>;
  // The program as a service of this manager.
  Child start(std::vector<std::string> words, Environment environment = {}) const {
    environment.emplace_back("NOTIFY_SOCKET", name_);
    return Child([words = std::move(words), environment]() mutable {
      for (const auto& [name, value] : environment) ::setenv(name.c_str(), value.c_str(), 1);
      words.insert(words.begin(), Child::program());
      std::vector<char*> arguments;
      for (std::string& word : words) arguments.push_back(word.data());
      arguments.push_back(nullptr);
      ::execv(arguments[0], arguments.data());
      return 127;
    });
  }

 private:
  const std::string name_;
  int fd_ = -1;
};

std::vector<std::string> serve(const std::string& service) {
  return {"serve", service, "--listen", "tcp://127.0.0.1:0"};
}

TEST(Notify, ReadyWhenItListensAndStoppingWhenItDrains) {
  const support::TemporaryFolder folder;
  const std::string path = folder.file("notify");
  for (const std::string& name : {path, "@" + path}) {
    Manager manager(name);
    Child child = manager.start(serve("lines"));
    const std::string ready = manager.next();
    EXPECT_TRUE(contains(ready, "READY=1\nSTATUS=listening on tcp://127.0.0.1:")) << ready;
    EXPECT_EQ(Client(child.url()).ask("a"), "a");
    child.signal(SIGTERM);
    EXPECT_EQ(manager.next(), "STOPPING=1\nSTATUS=draining");
    EXPECT_EQ(child.wait_exit(), 0);
    EXPECT_TRUE(manager.all().empty());
  }
}

TEST(Notify, SaysWhyItDoesNotStart) {
  const support::TemporaryFolder folder;
  Manager manager(folder.file("notify"));
  Child child = manager.start({"serve", "lines", "--listen", "unix:/nowhere/a.sock"});
  const std::string status = manager.next();
  EXPECT_TRUE(contains(status, "STATUS=cannot listen at 'unix:/nowhere/a.sock'")) << status;
  EXPECT_EQ(child.wait_exit(), 1);
}

TEST(Notify, WatchdogHearsOfIdleLoops) {
  const support::TemporaryFolder folder;
  Manager manager(folder.file("notify"));
  std::vector<std::string> words = serve("lines");
  words.insert(words.end(), {"--io-workers", "3"});
  Child child = manager.start(words, {{"WATCHDOG_USEC", "20000"}});
  EXPECT_TRUE(contains(manager.next(), "READY=1"));
  for (int i = 0; i < 5; ++i) EXPECT_EQ(manager.next(), "WATCHDOG=1");
}

// The loop is in a handler that blocks and cannot lose it. When it is back, so is the message.
TEST(Notify, WatchdogDoesNotHearOfALoopThatHangs) {
  const support::TemporaryFolder folder;
  Manager manager(folder.file("notify"));
  std::vector<std::string> words = serve("delay");
  words.insert(words.end(), {"--dispatch", "inline", "--io-workers", "1"});
  Child child = manager.start(words, {{"WATCHDOG_USEC", "50000"}});
  EXPECT_TRUE(contains(manager.next(), "READY=1"));
  Client client(child.url());
  ASSERT_TRUE(client.send("a 1000000\n"));
  EXPECT_TRUE(wait_until([&] {
    return contains(child.errors(), "event loop 0 does not turn: the watchdog of the service");
  }));
  manager.all();
  EXPECT_FALSE(client.readable_within(std::chrono::milliseconds(0)));
  EXPECT_TRUE(manager.all().empty());
  EXPECT_EQ(client.line(), "a");
  EXPECT_EQ(manager.next(), "WATCHDOG=1");
}

// Under `adaptive` the loop goes on without the handler.
TEST(Notify, WatchdogHearsOfALoopWhoseHandlerBlocks) {
  const support::TemporaryFolder folder;
  Manager manager(folder.file("notify"));
  std::vector<std::string> words = serve("delay");
  words.insert(words.end(), {"--io-workers", "1"});
  Child child = manager.start(words, {{"WATCHDOG_USEC", "100000"}});
  EXPECT_TRUE(contains(manager.next(), "READY=1"));
  Client client(child.url());
  ASSERT_TRUE(client.send("a 600000\n"));
  for (int i = 0; i < 5; ++i) EXPECT_EQ(manager.next(), "WATCHDOG=1");
  EXPECT_EQ(client.line(), "a");
  EXPECT_FALSE(contains(child.errors(), "does not turn"));
}

TEST(Notify, WatchdogOfAnotherProcessIsNotOurs) {
  const support::TemporaryFolder folder;
  Manager manager(folder.file("notify"));
  Child child = manager.start(serve("lines"), {{"WATCHDOG_USEC", "2000"}, {"WATCHDOG_PID", "1"}});
  EXPECT_TRUE(contains(manager.next(), "READY=1"));
  EXPECT_EQ(Client(child.url()).ask("a"), "a");
  support::let_pass(std::chrono::milliseconds(20));
  EXPECT_TRUE(manager.all().empty());
}

// A queue that is full: nobody reads there.
TEST(Notify, NobodyIsWaitedFor) {
  const support::TemporaryFolder folder;
  const Manager manager(folder.file("notify"));
  Child child = manager.start(serve("lines"), {{"WATCHDOG_USEC", "2000"}});
  support::let_pass(std::chrono::milliseconds(100));
  EXPECT_EQ(Client(child.url()).ask("a"), "a");
  child.signal(SIGTERM);
  EXPECT_EQ(child.wait_exit(), 0);
}

TEST(Notify, WhatIsNoSocketIsNoReasonToFail) {
  for (const std::string name : {"/nowhere/notify", "@", "relative", "vsock:2:1234"}) {
    Child child([&] {
      ::setenv("NOTIFY_SOCKET", name.c_str(), 1);
      ::setenv("WATCHDOG_USEC", "2000", 1);
      const std::string program = Child::program();
      ::execl(program.c_str(), program.c_str(), "serve", "lines", "--listen", "tcp://127.0.0.1:0",
              nullptr);
      return 127;
    });
    EXPECT_EQ(Client(child.url()).ask("a"), "a") << name;
    child.signal(SIGTERM);
    EXPECT_EQ(child.wait_exit(), 0) << name;
  }
}

}  // namespace
