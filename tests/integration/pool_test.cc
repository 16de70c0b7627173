// Goal: a handler that waits for a pool holds up nobody else, and hears when its request is over.
// Method: a server whose handlers share one thing; clients that leave; every policy and driver.
#include "trireme/pool.h"

#include <atomic>
#include <chrono>
#include <string>
#include <thread>

#include "support/client.h"
#include "support/gate.h"
#include "support/test_server.h"

namespace {

using support::Client;
using support::Gate;
using support::TestServer;
using support::wait_until;
namespace tr = trireme;
using namespace std::chrono_literals;

tr::PoolOptions<int> one_thing() {
  return {.make = [](std::chrono::nanoseconds) -> tr::Result<int> { return 1; },
          .count_max = 1,
          .wait_time_max = 1h};
}

class PoolTest : public support::ServerTest {};
class BlockingPoolTest : public support::ServerTest {};

TEST_P(BlockingPoolTest, ATakerThatWaitsDelaysNobodyElse) {
  tr::Pool<int> pool(one_thing());
  TestServer server(options());
  Gate gate;
  server.listen([&](const tr::Request& request) -> tr::Answer {
    if (request.text() == "quick") return request.own();
    const auto taken = pool.take();
    if (!taken) return taken.refusal();
    if (request.text() == "hold") gate.wait();
    return request.own();
  });
  server.start();
  const Gate::Opener opener(gate);
  Client holds(server.url()), waits(server.url()), other(server.url());
  ASSERT_TRUE(holds.send("hold\n"));
  ASSERT_TRUE(wait_until([&] { return gate.arrived() == 1; }));
  ASSERT_TRUE(waits.send("take\n"));
  ASSERT_TRUE(wait_until([&] { return pool.stats().waiting == 1; }));
  EXPECT_EQ(other.ask("quick"), "quick");
  gate.open();
  EXPECT_EQ(holds.line(), "hold");
  EXPECT_EQ(waits.line(), "take");
}

TEST_P(BlockingPoolTest, TheWaitEndsWhenTheClientIsGone) {
  tr::Pool<int> pool(one_thing());
  const auto held = pool.take();
  TestServer server(options());
  std::atomic<int> busy{0};
  server.listen([&](const tr::Request& request) -> tr::Answer {
    const auto taken = pool.take();
    busy += !taken && taken.problem().empty();
    return taken ? request.own() : taken.refusal();
  });
  server.start();
  Client client(server.url());
  ASSERT_TRUE(client.send("x\n"));
  ASSERT_TRUE(wait_until([&] { return pool.stats().waiting == 1; }));
  client.reset();
  EXPECT_TRUE(wait_until([&] { return busy == 1; }));
}

TEST_P(BlockingPoolTest, TheWaitEndsWhenTheServerDrains) {
  tr::Pool<int> pool(one_thing());
  const auto held = pool.take();
  TestServer server(options());
  server.listen([&](const tr::Request&) -> tr::Answer { return pool.take().refusal(); });
  server.start();
  Client client(server.url());
  ASSERT_TRUE(client.send("x\n"));
  ASSERT_TRUE(wait_until([&] { return pool.stats().waiting == 1; }));
  std::thread drains([&] { EXPECT_TRUE(server.drain().empty()); });
  EXPECT_EQ(client.line(), "BUSY");
  client.close();  // else the drain waits for its end
  drains.join();
}

TEST_P(PoolTest, TheWaitEndsAtTheDeadline) {
  tr::Pool<int> pool(one_thing());
  const auto held = pool.take();
  TestServer server(options());
  std::atomic<int> busy{0};
  server.listen(
      [&](const tr::Request&) -> tr::Answer {
        const auto taken = pool.take();
        busy += !taken;
        return taken.refusal();
      },
      {.handler_time_max = 20ms});
  server.start();
  Client client(server.url());
  // On a busy machine one may expire before it is started.
  EXPECT_TRUE(wait_until([&] {
    EXPECT_EQ(client.ask("x"), "ERR deadline exceeded");
    return busy > 0;
  }));
}

// Nobody takes the loop there, so it stands still until the time is over.
TEST(InlinePool, AWaitKeepsItsLoopAndIsReportedAsAStall) {
  auto options = one_thing();
  options.wait_time_max = 60ms;
  tr::Pool<int> pool(options);
  const auto held = pool.take();
  TestServer server({.io_workers = 1,
                     .dispatch = tr::Dispatch::kInline,
                     .stall_time = std::chrono::milliseconds(25)});
  server.listen([&](const tr::Request&) -> tr::Answer { return pool.take().refusal(); });
  server.start();
  Client client(server.url());
  EXPECT_TRUE(wait_until([&] {
    EXPECT_EQ(client.ask("x"), "BUSY");
    return server.stats().stalls > 0;
  }));
  EXPECT_TRUE(wait_until([&] {
    return server.log().find("all clients of its loop") != std::string::npos;
  })) << server.log();
}

INSTANTIATE_TEST_SUITE_P(Setups, PoolTest, ::testing::ValuesIn(support::every_setup()),
                         support::name_of);
INSTANTIATE_TEST_SUITE_P(Setups, BlockingPoolTest, ::testing::ValuesIn(support::blocking_setups()),
                         support::name_of);

}  // namespace
