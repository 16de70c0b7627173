// Goal: a clock judges a client only after its own socket was heard: however long the process was
// stopped or its loop was busy, nobody is closed whose bytes had arrived in time.
// Method: the real program; more clients than a wait tells of; clocks that run out while it is
// stopped, or while the loop runs the handlers of others. Whoever is not answered was closed.
#include <gtest/gtest.h>
#include <signal.h>

#include <memory>
#include <string>
#include <vector>

#include "support/child.h"
#include "support/client.h"
#include "support/test_server.h"

namespace {

using support::Child;
using support::Client;
using namespace std::chrono_literals;

// Three waits of 256 events are not enough for them.
constexpr size_t kClients = 900;

std::vector<std::string> drivers() {
  std::vector<std::string> all = {"epoll", "epoll-et", "poll", "select"};
  if (support::has_uring()) all.push_back("io_uring");
  return all;
}

// A service whose handler keeps the loop for as long as a request says.
struct Program {
  Program(std::string with, std::vector<std::string> clocks)
      : driver(std::move(with)), child(line(std::move(clocks))) {}

  std::vector<std::string> line(std::vector<std::string> clocks) const {
    std::vector<std::string> all = {"serve",       "delay",  "--listen",     "tcp://127.0.0.1:0",
                                    "--driver",    driver,   "--io-workers", "1",
                                    "--dispatch",  "inline", "--poll-time",  "1ms",
                                    "--log-level", "error"};
    all.insert(all.end(), clocks.begin(), clocks.end());
    return all;
  }
  // How many of the clients get `reply` now.
  size_t answered(const std::string& reply) {
    size_t count = 0;
    for (Client& client : clients) count += client.line() == reply ? 1 : 0;
    return count;
  }

  const std::string driver;
  Child child;
  std::vector<Client> clients;
};

// Every other one has sent a part of a request before: its clock is the request's.
TEST(Clocks, AStoppedProcessLosesNoneOfManyWhoHadSent) {
  std::vector<std::unique_ptr<Program>> all;
  for (const std::string& driver : drivers()) {
    Program& it = *all.emplace_back(std::make_unique<Program>(
        driver, std::vector<std::string>{"--idle-timeout", "2s", "--request-timeout", "2s"}));
    for (size_t i = 0; i < kClients; ++i) {
      it.clients.emplace_back(it.child.url());
      ASSERT_TRUE(it.clients[i].send(i % 2 == 0 ? "a 0\n" : "a 0\nb"));
    }
    ASSERT_EQ(it.answered("a"), kClients);
    ASSERT_TRUE(it.child.stop());
    for (size_t i = 0; i < kClients; ++i) {
      ASSERT_TRUE(it.clients[i].send(i % 2 == 0 ? "b 0\n" : " 0\n"));
    }
  }
  support::let_pass(2200ms);
  for (const auto& it : all) {
    it->child.signal(SIGCONT);
    EXPECT_EQ(it->answered("b"), kClients) << it->driver;
    for (Client& client : it->clients) client.send("c 0\n");
    EXPECT_EQ(it->answered("c"), kClients) << it->driver;
  }
}

// They come while it is stopped, so all of them have sent when the first one is heard.
TEST(Clocks, ABusyLoopLosesNoneOfManyWhoHadSent) {
  std::vector<std::unique_ptr<Program>> all;
  for (const std::string& driver : drivers()) {
    Program& it = *all.emplace_back(std::make_unique<Program>(
        driver, std::vector<std::string>{"--idle-timeout", "100ms", "--request-timeout", "100ms"}));
    Client first(it.child.url());
    ASSERT_EQ(first.ask("a 0"), "a");
    ASSERT_TRUE(it.child.stop());
    for (size_t i = 0; i < kClients; ++i) {
      it.clients.emplace_back(it.child.url());
      ASSERT_TRUE(it.clients[i].send("b 500\n"));
    }
  }
  for (const auto& it : all) it->child.signal(SIGCONT);
  for (const auto& it : all) EXPECT_EQ(it->answered("b"), kClients) << it->driver;
}

}  // namespace
