// Goal: what any thread may call does no harm before start() and beside it; drain() of another
// thread ends run(). Method: threads that call in a loop while the server starts, serves and
// drains: the thread sanitizer sees what races.
#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "support/client.h"
#include "support/test_server.h"

namespace {

using support::Client;
using support::wait_until;
namespace tr = trireme;
using namespace std::chrono_literals;

std::unique_ptr<tr::Server> make_server() {
  auto server = std::make_unique<tr::Server>(
      tr::ServerOptions{.io_workers = 2, .log = [](tr::LogLevel, std::string_view) {}});
  server->listen("tcp://127.0.0.1:0", tr::lines(), support::mark);
  return server;
}

TEST(BesideStart, NothingHappensBeforeIt) {
  const auto server = make_server();
  EXPECT_EQ(server->stats().accepted, 0u);
  server->cut_drain();
  server->abandon();
  ASSERT_TRUE(server->start());
  server->abandon();  // nothing is stuck
  Client client(server->urls()[0]);
  EXPECT_EQ(client.ask("a"), "<a>");
  client.close();
  EXPECT_TRUE(server->drain().empty());
  server->abandon();
  EXPECT_EQ(server->stats().closed_by_reason[static_cast<size_t>(tr::CloseReason::kDrainCut)], 0u)
      << "it was cut by a call before the start";
  EXPECT_TRUE(tr::books_balance(server->stats(), nullptr));
}

TEST(BesideStart, CallsOfOtherThreadsDoNotRace) {
  for (int i = 0; i < support::scaled(40); ++i) {
    const auto server = make_server();
    std::atomic<bool> over{false};
    std::atomic<int> calling{0};
    const auto call = [&](auto function) {
      return std::thread([&, function] {
        ++calling;
        while (!over) function();
      });
    };
    std::vector<std::thread> threads;
    threads.push_back(call([&] { server->stats(); }));
    threads.push_back(call([&] { server->cut_drain(); }));
    threads.push_back(call([&] { server->abandon(); }));
    EXPECT_TRUE(wait_until([&] { return calling == 3; }));
    ASSERT_TRUE(server->start());
    EXPECT_TRUE(server->drain().empty());
    over = true;
    for (std::thread& thread : threads) thread.join();
    EXPECT_TRUE(tr::books_balance(server->stats(), nullptr));
  }
}

// Whichever is first: the server has ended when both have returned.
TEST(BesideStart, ADrainWaitsForIt) {
  for (int i = 0; i < support::scaled(100); ++i) {
    const auto server = make_server();
    std::atomic<bool> go{false};
    std::thread drain([&] {
      while (!go) {
      }
      server->drain();
      EXPECT_TRUE(tr::books_balance(server->stats(), nullptr));
    });
    go = true;
    const tr::Result<tr::Done> started = server->start();
    if (!started) {
      EXPECT_EQ(started.error().code, tr::Error::Code::kUsage);
      EXPECT_NE(started.error().message.find("drained before"), std::string::npos);
    }
    drain.join();
  }
}

TEST(Run, EndsWhenAnotherThreadDrains) {
  const auto server = make_server();
  std::atomic<bool> ready{false};
  int status = -1;
  std::thread runs([&] { status = server->run([&] { ready = true; }); });
  ASSERT_TRUE(wait_until([&] { return ready.load(); }));
  Client client(server->urls()[0]);
  EXPECT_EQ(client.ask("a"), "<a>");
  client.close();
  EXPECT_TRUE(server->drain().empty());
  runs.join();
  EXPECT_EQ(status, 0);
}

TEST(Run, OutlivesAnOnReadyThatThrowsWhileItDrains) {
  std::atomic<bool> drains{false};
  tr::Server server({.io_workers = 1, .log = [&](tr::LogLevel, std::string_view line) {
                       if (line == "draining") drains = true;
                     }});
  server.listen("tcp://127.0.0.1:0", tr::lines(), support::mark);
  const auto on_ready = [&] {
    ::kill(::getpid(), SIGTERM);
    EXPECT_TRUE(wait_until([&] { return drains.load(); }));
    throw std::runtime_error("no");
  };
  EXPECT_THROW(server.run(on_ready), std::runtime_error);
}

TEST(Run, EndsWithStatus1WhenThatDrainIsCut) {
  const auto server = make_server();
  std::atomic<bool> ready{false};
  int status = -1;
  std::thread runs([&] { status = server->run([&] { ready = true; }); });
  ASSERT_TRUE(wait_until([&] { return ready.load(); }));
  Client stays(server->urls()[0]);
  EXPECT_EQ(stays.ask("a"), "<a>");
  std::thread drain([&] { server->drain(); });
  EXPECT_EQ(stays.receive_all(), "");  // FIN; and the server waits for ours
  server->cut_drain();
  drain.join();
  runs.join();
  EXPECT_EQ(status, 1);
}

TEST(Run, ReturnsAtOnceWhenItWasDrainedBefore) {
  const auto server = make_server();
  EXPECT_TRUE(server->drain().empty());
  EXPECT_EQ(server->run([] { ADD_FAILURE() << "it is not ready"; }), 0);
}

}  // namespace
