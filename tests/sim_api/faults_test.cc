// Goal: each kind of fault happens when a world is told so, and a server that is correct outlives
// it. Method: an echo server and clients in worlds that have that one fault, often.
#include <gtest/gtest.h>

#include <chrono>
#include <string>

#include "served.h"

namespace sim_api { namespace {

using namespace std::chrono_literals;

struct OneFault {
  sim::FaultKind kind;
  sim::Faults faults;
};

void PrintTo(const OneFault& fault, std::ostream* out) { *out << sim::to_string(fault.kind); }

class SimFaults : public ::testing::TestWithParam<OneFault> {};

TEST_P(SimFaults, HappensAndIsOutlived) {
  const OneFault& fault = GetParam();
  uint64_t happened = 0, lost = 0, echoed = 0;
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    sim::World world(seed, {.faults = fault.faults});
    world.run([&] {
      serve_echo(world, [&](const std::string& url) {
        for (int i = 0; i < 4; ++i) {
          world.client("client", [&echoed, url](sim::Client& client) {
            client.connect(url);
            for (int request = 0; request < 5; ++request) {
              const std::string line = std::string(300, 'a') + std::to_string(request) + "\n";
              client.send(line);
              client.expect(line);
              ++echoed;
            }
          });
        }
      });
    });
    happened += world.happened(fault.kind);
    lost += world.lost_clients();
    for (int other = 0; other < sim::kFaultKindCount; ++other) {
      const auto kind = static_cast<sim::FaultKind>(other);
      if (kind == fault.kind) continue;
      EXPECT_EQ(world.happened(kind), 0U) << sim::to_string(kind);
    }
  }
  EXPECT_GT(happened, 0U);
  if (fault.kind == sim::FaultKind::kClientReset) {
    EXPECT_EQ(lost, happened);
    EXPECT_LT(echoed, 400U);
    EXPECT_GT(echoed, 0U);
  } else {
    EXPECT_EQ(echoed, 400U);
  }
}

using Kind = sim::FaultKind;

INSTANTIATE_TEST_SUITE_P(
    Kinds, SimFaults,
    ::testing::Values(OneFault{Kind::kInterrupted, {.interrupted = 1'500}},
                      OneFault{Kind::kLostWakeup, {.wakeup_lost = 5'000}},
                      OneFault{Kind::kAcceptAborted, {.accept_aborted = 3'000}},
                      OneFault{Kind::kAcceptExhausted, {.accept_exhausted = 1'000}},
                      OneFault{Kind::kNoDescriptor, {.accept_no_descriptor = 1'000}},
                      OneFault{Kind::kNotReady, {.receive_not_ready = 4'000}},
                      OneFault{Kind::kSendNoBuffers, {.send_no_buffers = 1'000}},
                      OneFault{Kind::kShortWrite, {.send_squeezed = 3'000}},
                      OneFault{Kind::kPreempted, {.preempted = 100, .preempted_max = 2ms}},
                      OneFault{Kind::kDelay, {.delay_max = 1ms}},
                      OneFault{Kind::kShortRead, {.segment_bytes_max = 7}},
                      OneFault{Kind::kClientReset, {.client_reset = 500}},
                      OneFault{Kind::kClientStall, {.client_stalled = 2'000}}),
    [](const ::testing::TestParamInfo<OneFault>& param) {
      return std::string(sim::to_string(param.param.kind));
    });

// A registration that the kernel refuses costs its connection, and nothing else.
TEST(SimFaultsThatCost, AWatchThatIsRefusedCostsItsConnection) {
  uint64_t refused = 0, heard = 0;
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    sim::World world(seed, {.faults = sim::Faults{.epoll_add_refused = 1'000}});
    bool started = true;
    world.run([&] {
      tr::Server server(quiet(), world.platform());
      server.listen("tcp://127.0.0.1:0", tr::lines(),
                    [](const tr::Request& request) -> tr::Answer { return request.own(); });
      started = server.start().ok();  // its own descriptors may be refused, too
      if (!started) return;
      for (int i = 0; i < 4; ++i) {
        world.client("client", [&heard, url = server.urls()[0]](sim::Client& client) {
          client.connect(url);
          heard += client.read_for(1ms).empty() ? 0 : 1;
        });
      }
      world.finish(server);
    });
    refused += world.happened(Kind::kWatchRefused);
  }
  EXPECT_GT(refused, 0U);
  EXPECT_EQ(heard, 0U);
}

// A reset overtakes bytes on their way, which are gone then.
TEST(SimFaultsThatCost, AResetDestroysBytesOnTheirWay) {
  uint64_t lost = 0, requests = 0;
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    sim::World world(
        seed, {.faults = sim::Faults{.delay_min = 1ms, .delay_max = 1ms, .reset_destroys = true}});
    world.run([&] {
      requests += serve_echo(world, [&](const std::string& url) {
                    world.client("ada", sim::Script().connect(url).send("a\n").reset());
                  }).requests;
    });
    lost += world.happened(Kind::kLostBytes);
  }
  EXPECT_GT(lost, 0U);
  EXPECT_LE(requests + lost, 20U);
}

// The limit of descriptors is the server's own to reach: clients wait until there is one.
TEST(SimFaultsThatCost, AClientBeyondTheDescriptorsWaits) {
  sim::World world(1, {.faults = sim::Faults(), .descriptors_max = 60});
  uint64_t echoed = 0;
  world.run([&] {
    serve_echo(world, [&](const std::string& url) {
      for (int i = 0; i < 60; ++i) {
        world.client("client", [&echoed, url](sim::Client& client) {
          client.connect(url);
          client.send("a\n");
          client.expect("a\n");
          ++echoed;
        });
      }
    });
  });
  EXPECT_EQ(echoed, 60U);
}

TEST(SimFaultsDrawn, SeedsDrawEveryKindAndThreeInTenNone) {
  int none = 0, resets = 0, delays = 0;
  for (uint64_t seed = 1; seed <= 1'000; ++seed) {
    const sim::Faults faults = sim::Faults::drawn(seed);
    none += faults.preempted_max == 0ms ? 1 : 0;
    resets += faults.client_reset > 0 ? 1 : 0;
    delays += faults.delay_max > 0ms ? 1 : 0;
    EXPECT_EQ(faults.calmed().interrupted, 0U);
    EXPECT_EQ(faults.calmed().delay_max, faults.delay_max);
  }
  EXPECT_NEAR(none, 300, 50);
  EXPECT_NEAR(resets, 350, 70);
  EXPECT_GT(delays, 500);
}

}  // namespace
}  // namespace sim_api
