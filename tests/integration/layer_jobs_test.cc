// Goal: a step of a transport layer that computes for long is done on a thread of its own, whatever
// the handlers do; its connection keeps all promises meanwhile, and a flood of such steps is
// bounded. Method: a layer that computes at a gate, or not at all; clients that speak on, end,
// reset, flood; a drain; threads that do not start.
#include <pthread.h>

#include <array>
#include <atomic>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "support/client.h"
#include "support/faulty_threads.h"
#include "support/gate.h"
#include "support/knock_layer.h"
#include "support/test_server.h"

namespace {

using support::Client;
using support::Gate;
using support::kBye;
using support::kKnock;
using support::kWelcome;
using support::TestServer;
using support::turned;
using support::wait_until;
namespace tr = trireme;
using namespace std::chrono_literals;

tr::ListenOptions behind(std::function<void()> computes) {
  tr::ListenOptions listen;
  listen.layers = {std::make_shared<support::HeavyKnockFactory>(std::move(computes))};
  return listen;
}

std::string own_thread_name() {
  std::array<char, 16> name{};
  pthread_getname_np(pthread_self(), name.data(), name.size());
  return name.data();
}

// Where steps are jobs.
class LayerJobsTest : public support::ServerTest {};
class LayerJobsEverywhereTest : public support::ServerTest {};

TEST_P(LayerJobsEverywhereTest, AreDoneWhereNoLoopIsHeld) {
  std::mutex mutex;
  std::vector<std::string> names;
  TestServer server(options());
  server.listen(support::mark, behind([&] {
                  const std::lock_guard lock(mutex);
                  names.push_back(own_thread_name());
                }));
  server.start();
  constexpr size_t kClients = 20;
  std::string sent = kKnock, wanted = kWelcome;
  for (int i = 0; i < 300; ++i) {
    sent += turned(std::to_string(i) + "\n");
    wanted += turned("<" + std::to_string(i) + ">\n");
  }
  for (size_t i = 0; i < kClients; ++i) {
    Client client(server.url());
    EXPECT_EQ(client.converse(sent + kBye, true), wanted + kBye);
  }
  const bool is_inline = GetParam().dispatch == tr::Dispatch::kInline;
  const tr::Stats stats = server.stats();
  EXPECT_EQ(stats.layer_steps_inline, is_inline ? kClients : 0);
  EXPECT_EQ(stats.layer_steps_on_workers, is_inline ? 0 : kClients);
  const std::lock_guard lock(mutex);
  ASSERT_EQ(names.size(), kClients);
  for (const std::string& name : names)
    EXPECT_EQ(name.substr(0, is_inline ? 3 : 6), is_inline ? "io-" : "layer-");
}

TEST_P(LayerJobsTest, GoOnWhileEveryHandlerBlocks) {
  tr::ServerOptions few = options();
  few.data_workers = 1;
  TestServer server(few);
  Gate gate;
  server.listen(
      [gate](const tr::Request& request) -> tr::Answer {
        if (request.text() == "wait") gate.wait();
        return request.own();
      },
      behind({}));
  server.start();
  const Gate::Opener opener(gate);
  std::vector<std::unique_ptr<Client>> blocked;
  // A handler for the data worker, and one for each loop that has lost its thread.
  for (int i = 0; i < few.io_workers + 2; ++i) {
    blocked.push_back(std::make_unique<Client>(server.url()));
    ASSERT_TRUE(blocked.back()->send(kKnock + turned("wait\n")));
    ASSERT_EQ(blocked.back()->receive(kWelcome.size()), kWelcome);
  }
  ASSERT_TRUE(wait_until([&] { return gate.arrived() > 0; }));
  for (int i = 0; i < 10; ++i) {
    Client client(server.url());
    ASSERT_TRUE(client.send(kKnock));
    EXPECT_EQ(client.receive(kWelcome.size()), kWelcome);
  }
}

// Handshakes and handlers are held up by nothing but each other's CPU.
TEST_P(LayerJobsTest, HoldUpNobodyElse) {
  TestServer server(options());
  Gate gate;
  std::atomic<bool> computes_long{true};
  server.listen(support::mark, behind([&, gate] {
                  if (computes_long.exchange(false)) gate.wait();
                }));
  server.start();
  const Gate::Opener opener(gate);
  Client slow(server.url());
  // What comes behind its knock waits, and is in order.
  ASSERT_TRUE(slow.send(kKnock + turned("1\n")));
  ASSERT_TRUE(wait_until([&] { return gate.arrived() == 1; }));
  ASSERT_TRUE(slow.send(turned("2\n")));
  if (std::thread::hardware_concurrency() > 1) {  // there is a second thread for handshakes
    for (int i = 0; i < 5; ++i) {
      Client client(server.url());
      EXPECT_EQ(client.converse(kKnock + turned("x\n") + kBye, true),
                kWelcome + turned("<x>\n") + kBye);
    }
  }
  ASSERT_TRUE(slow.send(turned("3\n") + kBye));
  slow.shutdown_write();
  ASSERT_TRUE(slow.wait_all_arrived());
  gate.open();
  EXPECT_EQ(slow.receive_all(), kWelcome + turned("<1>\n<2>\n<3>\n") + kBye);
}

TEST_P(LayerJobsTest, WhatWaitsForOneIsBounded) {
  if (GetParam().io_workers > 1) return;  // of one connection: one loop will do
  TestServer server(options());
  Gate gate;
  tr::ListenOptions listen = behind([gate] { gate.wait(); });
  listen.limits.read_ahead_bytes_max = 8 << 10;
  server.listen(support::mark, listen);
  server.start();
  const Gate::Opener opener(gate);
  Client client(server.url(), {.receive_buffer_bytes = 4096});
  ASSERT_TRUE(client.send(kKnock));
  ASSERT_TRUE(wait_until([&] { return gate.arrived() == 1; }));
  const std::string line = std::string(1000, 'x') + "\n";
  std::string many, wanted = kWelcome;
  for (int i = 0; i < 16'000; ++i) many += line;
  const size_t taken = client.send_until_full(turned(many));
  EXPECT_LT(taken, many.size());
  EXPECT_GE(server.stats().reads_paused, 1u);
  EXPECT_LT(server.stats().buffer_bytes_now, 4u << 20);
  gate.open();
  const std::string rest = turned(std::string_view(many).substr(taken)) + kBye;
  for (int i = 0; i < 16'000; ++i) wanted += turned("<" + line.substr(0, 1000) + ">\n");
  const std::string heard = client.converse(rest, true);
  EXPECT_EQ(heard.size(), wanted.size() + 1);
  EXPECT_TRUE(heard == wanted + kBye);
}

// The socket is closed at once, its slot is free when the job has returned.
TEST_P(LayerJobsTest, ACloseWaitsForThem) {
  TestServer server(options());
  Gate gate;
  server.listen(support::mark, behind([gate] { gate.wait(); }));
  server.start();
  const Gate::Opener opener(gate);
  Client client(server.url());
  ASSERT_TRUE(client.send(kKnock));
  ASSERT_TRUE(wait_until([&] { return gate.arrived() == 1; }));
  client.reset();
  ASSERT_TRUE(wait_until([&] { return server.closed(tr::CloseReason::kReset) == 1; }));
  EXPECT_EQ(server.stats().slots_gone, 0u);
  EXPECT_EQ(server.stats().live, 0u);
  gate.open();
  EXPECT_TRUE(wait_until([&] { return server.stats().slots_gone == 1; }));
}

TEST_P(LayerJobsTest, ADrainWaitsForTheOneThatRuns) {
  tr::ServerOptions one = options();
  one.layer_workers = 1;
  TestServer server(one);
  Gate gate;
  server.listen(support::mark, behind([gate] { gate.wait(); }));
  server.start();
  const Gate::Opener opener(gate);
  Client running(server.url()), waiting(server.url());
  ASSERT_TRUE(running.send(kKnock));
  ASSERT_TRUE(wait_until([&] { return gate.arrived() == 1; }));
  ASSERT_TRUE(waiting.send(kKnock));
  ASSERT_TRUE(wait_until([&] { return server.stats().layer_steps_on_workers == 2; }));
  std::vector<tr::StuckJob> stuck;
  std::thread drains([&] { stuck = server.drain(); });
  EXPECT_EQ(waiting.receive_all(), "");
  EXPECT_EQ(running.receive_all(), "");
  EXPECT_TRUE(wait_until([&] { return server.closed(tr::CloseReason::kDrained) == 2; }));
  gate.open();
  drains.join();
  EXPECT_TRUE(stuck.empty());
  EXPECT_EQ(gate.arrived(), 1u);  // nobody computes for those that are gone
}

TEST_P(LayerJobsTest, TooManyAreRefused) {
  tr::ServerOptions one = options();
  one.layer_workers = 1;
  one.layer_steps_max = 1;
  TestServer server(one);
  Gate gate;
  server.listen(support::mark, behind([gate] { gate.wait(); }));
  server.start();
  const Gate::Opener opener(gate);
  Client running(server.url()), waiting(server.url());
  ASSERT_TRUE(running.send(kKnock));
  ASSERT_TRUE(wait_until([&] { return gate.arrived() == 1; }));
  ASSERT_TRUE(waiting.send(kKnock));
  ASSERT_TRUE(wait_until([&] { return server.stats().layer_steps_on_workers == 2; }));
  Client refused(server.url());
  ASSERT_TRUE(refused.send(kKnock));
  EXPECT_EQ(refused.receive_all(), "");
  EXPECT_EQ(server.stats().layer_steps_refused, 1u);
  EXPECT_TRUE(wait_until([&] { return server.closed(tr::CloseReason::kRefused) == 1; }));
  EXPECT_TRUE(server.says("layer_steps_max"));
  gate.open();
  EXPECT_EQ(running.receive(kWelcome.size()), kWelcome);
  EXPECT_EQ(waiting.receive(kWelcome.size()), kWelcome);
}

// The client is not late while it waits for us.
TEST_P(LayerJobsTest, TheClockOfTheHandshakeStandsStill) {
  TestServer server(options());
  Gate gate;
  tr::ListenOptions listen = behind([gate] { gate.wait(); });
  listen.limits.handshake_time_max = 20ms;
  server.listen(support::mark, listen);
  server.start();
  const Gate::Opener opener(gate);
  Client client(server.url());
  if (!client.send(kKnock) || !wait_until([&] { return gate.arrived() == 1; }, 1s)) {
    GTEST_SKIP() << "the machine is too busy: its client was late";
  }
  support::let_pass(60ms);  // why: nothing may happen meanwhile
  EXPECT_EQ(server.closed(tr::CloseReason::kHandshakeTimeout), 0u);
  gate.open();
  EXPECT_EQ(client.receive(kWelcome.size()), kWelcome);
}

TEST_P(LayerJobsEverywhereTest, OneThatThrowsCostsItsConnection) {
  std::atomic<int> count{0};
  TestServer server(options());
  server.listen(support::mark, behind([&] {
                  if (count++ % 2 == 0) throw std::runtime_error("sums that do not add up");
                }));
  server.start();
  for (int i = 0; i < 4; ++i) {
    Client client(server.url());
    const std::string heard = client.converse(kKnock + kBye, true);
    EXPECT_EQ(heard, i % 2 == 0 ? "" : kWelcome + kBye);
  }
  EXPECT_TRUE(wait_until([&] { return server.closed(tr::CloseReason::kLayerFailed) == 2; }));
  EXPECT_TRUE(server.says("sums that do not add up"));
}

INSTANTIATE_TEST_SUITE_P(Blocking, LayerJobsTest, ::testing::ValuesIn(support::blocking_setups()),
                         support::name_of);
INSTANTIATE_TEST_SUITE_P(Every, LayerJobsEverywhereTest,
                         ::testing::ValuesIn(support::every_setup()), support::name_of);

TEST(LayerThreads, WithoutAnyTheClientIsRefused) {
  tr::FaultyThreads threads(tr::real_platform().threads);
  const tr::Platform& real = tr::real_platform();
  const tr::Platform platform{real.kernel, real.clock, threads, 1, false, nullptr};
  std::mutex mutex;
  std::string log;
  tr::Server server({.io_workers = 1,
                     .log =
                         [&](tr::LogLevel, std::string_view line) {
                           const std::lock_guard lock(mutex);
                           log += line;
                         }},
                    platform);
  server.listen("tcp://127.0.0.1:0", tr::lines(), support::mark, behind({}));
  ASSERT_TRUE(server.start());
  Client held(server.urls()[0]);
  threads.fail_start({.times = tr::FaultyThreads::kForEver});
  ASSERT_TRUE(held.send(kKnock));
  EXPECT_EQ(held.receive_all(), "");
  EXPECT_TRUE(wait_until([&] {  // its books are closed behind its socket
    return server.stats().closed_by_reason[static_cast<size_t>(tr::CloseReason::kRefused)] == 1;
  }));
  threads.heal();
  Client served(server.urls()[0]);
  EXPECT_EQ(served.converse(kKnock + turned("x\n") + kBye, true),
            kWelcome + turned("<x>\n") + kBye);
  EXPECT_TRUE(server.drain().empty());
  const std::lock_guard lock(mutex);
  EXPECT_NE(log.find("cannot start a thread for handshakes"), std::string::npos);
}

}  // namespace
