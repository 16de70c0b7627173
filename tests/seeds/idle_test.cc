// Goal: a server without traffic makes no wake-up, whatever it has done before, with clients that
// are connected and silent.
// Method: virtual time. Each wake-up of a thread costs the simulated scheduler steps, and half an
// hour without any costs none.
#include <gtest/gtest.h>

#include <string>
#include <string_view>

#include "sim/machine.h"
#include "sim/sim_client.h"
#include "trireme/trireme.h"

namespace {

namespace tr = trireme;
namespace sim = trireme::sim;
using namespace std::chrono_literals;

class IdleServer : public ::testing::TestWithParam<tr::Dispatch> {};

// A request that blocks, then some that do not: reserves, lookouts and data workers have all been
// at work.
void have_traffic(sim::Machine& world, sim::SimClient& client, uint16_t port) {
  ASSERT_EQ(client.connect(port), 0);
  for (const char* request : {"sleep\n", "a\n", "sleep\n", "b\n"}) {
    ASSERT_EQ(client.send_all(request), 0);
    const sim::SimClient::Received reply = client.receive_exactly(std::string_view(request).size());
    ASSERT_EQ(reply.bytes, request) << "seed " << world.seed();
  }
}

TEST_P(IdleServer, MakesNoWakeUp) {
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    sim::MachineOptions options;
    options.faults = sim::Faults();
    sim::Machine world(seed, options);
    uint64_t steps = 0;
    world.run([&] {
      tr::Server server({.io_workers = 2,
                         .data_workers = 8,
                         .dispatch = GetParam(),
                         .log = [](tr::LogLevel, std::string_view) {}},
                        world.platform());
      tr::ListenOptions listen;
      listen.limits.idle_time_max = 1h;
      server.listen(
          "tcp://127.0.0.1:0", tr::lines(),
          [&world](const tr::Request& request) -> tr::Answer {
            if (request.text() == "sleep") world.sleep_for(5ms);  // why: virtual time
            return request.text();
          },
          listen);
      ASSERT_TRUE(server.start().ok());
      const std::string url = server.urls()[0];
      const auto port = static_cast<uint16_t>(std::stoi(url.substr(url.rfind(':') + 1)));
      sim::SimClient client(world);
      have_traffic(world, client, port);
      world.sleep_for(1s);  // why: virtual time, and the promise: quiet after a second
      const uint64_t before = world.steps();
      world.sleep_for(30min);  // why: virtual time
      steps = world.steps() - before;
      client.close();
      server.drain();
    });
    // This fiber's own going to sleep and waking.
    EXPECT_LE(steps, 4u) << "seed " << seed;
  }
}

INSTANTIATE_TEST_SUITE_P(Dispatch, IdleServer,
                         ::testing::Values(tr::Dispatch::kInline, tr::Dispatch::kWorkers,
                                           tr::Dispatch::kAdaptive),
                         [](const auto& tested) {
                           switch (tested.param) {
                             case tr::Dispatch::kInline:
                               return "Inline";
                             case tr::Dispatch::kWorkers:
                               return "Workers";
                             default:
                               return "Adaptive";
                           }
                         });

}  // namespace
