// Goal: as many data workers as are needed, and no more: all of them for handlers, none beside
// those that are active, few after a burst. Method: handlers at a gate, counters, names of threads,
// a clock that stands still.
#include <sched.h>

#include <algorithm>
#include <atomic>
#include <string>
#include <thread>
#include <vector>

#include "support/client.h"
#include "support/gate.h"
#include "support/hand_clock.h"
#include "support/test_server.h"
#include "support/told_threads.h"

namespace {

using support::Client;
using support::Gate;
using support::TestServer;
using support::wait_until;
namespace tr = trireme;
using namespace std::chrono_literals;

// Where loops are not taken, threads of their own watch them: as many handlers may block as the
// user has asked for, with every loop watched.
TEST(DataWorkers, AreAllForHandlers) {
  constexpr size_t kDataWorkers = 4;
  Gate closed;
  TestServer server(
      {.io_workers = 2, .data_workers = kDataWorkers, .dispatch = tr::Dispatch::kWorkers});
  const Gate::Opener opener(closed);
  server.listen([&](const tr::Request& request) -> tr::Answer {
    closed.wait();
    return request.own();
  });
  server.start();
  std::vector<Client> clients;
  for (size_t i = 0; i <= kDataWorkers; ++i) clients.emplace_back(server.url());
  for (Client& client : clients) ASSERT_TRUE(client.send("wait\n"));
  ASSERT_TRUE(wait_until([&] { return closed.arrived() == kDataWorkers; }));
  ASSERT_TRUE(wait_until([&] { return server.stats().requests == kDataWorkers + 1; }));
  EXPECT_EQ(server.stats().data_workers, kDataWorkers);
  const std::vector<std::string> names = support::thread_names();
  for (const char* watcher : {"watch-0", "watch-1"}) {
    EXPECT_EQ(std::count(names.begin(), names.end(), watcher), 1) << watcher;
  }
  closed.open();
  for (Client& client : clients) ASSERT_EQ(client.line(), "wait");
  EXPECT_EQ(closed.arrived(), kDataWorkers + 1);
}

// Under `workers`, with CPUs for loop and data worker, no wake-up of a data worker takes a CPU
// away; a thread that may have to take a loop is never held back.
TEST(DataWorkers, WaitTheirTurnWhereTheyHoldNoLoops) {
  cpu_set_t cpus;
  CPU_ZERO(&cpus);
  ASSERT_EQ(::sched_getaffinity(0, sizeof(cpus), &cpus), 0);
  const int usual = ::sched_getscheduler(0);
  bool may_change = false;  // what a sandbox may forbid
  std::thread([&may_change] {
    const sched_param none{};
    may_change = ::sched_setscheduler(0, SCHED_BATCH, &none) == 0;
  }).join();
  const bool changes = usual == SCHED_OTHER && may_change && CPU_COUNT(&cpus) > 1;
  for (const tr::Dispatch dispatch : {tr::Dispatch::kWorkers, tr::Dispatch::kAdaptive}) {
    TestServer server({.io_workers = 1, .dispatch = dispatch});
    server.listen([](const tr::Request&) -> tr::Answer {
      tr::blocking();  // under kAdaptive the next request is on a data worker, or a former one
      return std::to_string(::sched_getscheduler(0));
    });
    server.start();
    Client client(server.url());
    const bool waits = changes && dispatch == tr::Dispatch::kWorkers;
    const int wanted = waits ? SCHED_BATCH : usual;
    for (int i = 0; i < 10; ++i) EXPECT_EQ(client.ask("x"), std::to_string(wanted));
  }
}

TEST(DataWorkers, EndAfterABurst) {
  constexpr size_t kBurst = 24;
  std::atomic<Gate*> gate{nullptr};
  TestServer server({.io_workers = 1, .data_workers = 32, .dispatch = tr::Dispatch::kWorkers});
  server.listen([&](const tr::Request& request) -> tr::Answer {
    if (request.text() == "wait") gate.load()->wait();
    return request.own();
  });
  server.start();
  for (int round = 0; round < 2; ++round) {
    Gate closed;
    gate = &closed;
    const Gate::Opener opener(closed);
    std::vector<Client> clients;
    for (size_t i = 0; i < kBurst; ++i) clients.emplace_back(server.url());
    for (Client& client : clients) ASSERT_TRUE(client.send("wait\n"));
    ASSERT_TRUE(wait_until([&] { return closed.arrived() == kBurst; }));
    EXPECT_GE(server.stats().data_workers, kBurst);
    // Names start again where threads have ended.
    for (const std::string& name : support::thread_names()) {
      if (name.starts_with("data-")) {
        EXPECT_LE(std::stoul(name.substr(5)), 33u);
      }
    }
    closed.open();
    for (Client& client : clients) ASSERT_EQ(client.line(), "wait");
    EXPECT_TRUE(wait_until([&] { return server.stats().data_workers <= 4; }));
  }
  EXPECT_EQ(Client(server.url()).ask("x"), "x");
}

// A handler that has just begun will be done soon, as far as anybody can tell: with one for each
// CPU, a further data worker would only take a CPU from them. When time shows that they block, the
// others come.
TEST(DataWorkers, NoneIsWokenBesideAsManyActiveOnesAsThereAreCpus) {
  constexpr size_t kCpus = 2, kRequests = 6;
  support::ToldThreads threads;
  threads.cpus = kCpus;
  support::HandClock clock;
  const tr::Platform platform{tr::real_platform().kernel, clock, threads, 0};
  Gate closed;
  tr::Server server({.io_workers = 1,
                     .data_workers = kRequests,
                     .dispatch = tr::Dispatch::kWorkers,
                     .log = [](tr::LogLevel, std::string_view) {}},
                    platform);
  const Gate::Opener opener(closed);
  server.listen("tcp://127.0.0.1:0", tr::lines(),
                [closed](const tr::Request& request) -> tr::Answer {
                  closed.wait();
                  return request.own();
                });
  ASSERT_TRUE(server.start().ok());
  std::vector<Client> clients;
  for (size_t i = 0; i < kRequests; ++i) {
    clients.emplace_back(server.urls()[0]);
    ASSERT_TRUE(clients.back().send("wait\n"));
    // One request a turn: what the loop did for the one before is done.
    ASSERT_TRUE(wait_until([&] { return server.stats().requests == i + 1; }));
    ASSERT_TRUE(wait_until([&] { return closed.arrived() == std::min(i + 1, kCpus); }));
  }
  EXPECT_EQ(server.stats().data_workers, kCpus);
  EXPECT_TRUE(wait_until([&] {
    clock.pass(1ms);
    return closed.arrived() == kRequests;
  }));
  closed.open();
  for (Client& client : clients) EXPECT_EQ(client.line(), "wait");
}

}  // namespace
