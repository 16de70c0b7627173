// Goal: clocks do not count what a client cannot help: the time that the loop was busy with others.
// Method: virtual time. A handler that keeps the loop plays the busy loop, so all times are exact.
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "sim/machine.h"
#include "sim/sim_client.h"
#include "trireme/trireme.h"

namespace {

namespace tr = trireme;
namespace sim = trireme::sim;
using namespace std::chrono_literals;

constexpr size_t kLargeBytes = 64 << 10;

class BusyLoop : public ::testing::TestWithParam<tr::DriverKind> {
 protected:
  static sim::MachineOptions calm_world() {
    sim::MachineOptions options;
    options.faults = sim::Faults();
    options.nature =
        sim::Nature{.step_cost_max = 200ns, .receive_buffer = 8 << 10, .send_buffer = 8 << 10};
    return options;
  }

  // One loop, whose handlers keep it: for `busy`, for no time else.
  void serve(const tr::Limits& limits, const std::function<void(uint16_t port)>& clients) {
    world.run([&] {
      tr::Server server({.io_workers = 1,
                         .dispatch = tr::Dispatch::kInline,
                         .driver = GetParam(),
                         .log = [](tr::LogLevel, std::string_view) {}},
                        world.platform());
      tr::ListenOptions listen;
      listen.limits = limits;
      server.listen(
          "tcp://127.0.0.1:0", tr::lines(),
          [this](const tr::Request& request) -> tr::Answer {
            if (request.text() == "busy") world.sleep_for(3s);  // why: virtual time
            if (request.text() == "large") return std::string(kLargeBytes - 1, 'x');
            return request.text();
          },
          listen);
      ASSERT_TRUE(server.start().ok());
      const std::string url = server.urls()[0];
      clients(static_cast<uint16_t>(std::stoi(url.substr(url.rfind(':') + 1))));
      server.drain();
      stats = server.stats();
    });
  }
  uint64_t closed(tr::CloseReason reason) const {
    return stats.closed_by_reason[static_cast<size_t>(reason)];
  }
  std::string ask(sim::SimClient& client, const std::string& request) {
    if (client.send_all(request + "\n") != 0) return "not sent";
    return client.receive_exactly(request.size() + 1).bytes;
  }

  sim::Machine world{1, calm_world()};
  tr::Stats stats;
};

// The reply leaves at the end of a long turn, and the client's time begins then.
TEST_P(BusyLoop, AReplyAtTheEndOfALongTurnStartsTheIdleClock) {
  tr::Limits limits;
  limits.idle_time_max = 1s;
  serve(limits, [this](uint16_t port) {
    sim::SimClient client(world), other(world);
    ASSERT_EQ(client.connect(port), 0);
    ASSERT_EQ(ask(client, "busy"), "busy\n");
    ASSERT_EQ(other.connect(port), 0);
    EXPECT_EQ(ask(other, "other"), "other\n");
    const tr::TimePoint replied = world.now();
    world.sleep_for(900ms);  // why: virtual time
    EXPECT_EQ(ask(client, "again"), "again\n");
    const auto rest = client.receive_until_end();  // and then it is idle, to the tick
    EXPECT_TRUE(rest.end);
    EXPECT_GE(world.now() - replied, 1900ms);
    EXPECT_LE(world.now() - replied, 1950ms);
  });
  EXPECT_EQ(closed(tr::CloseReason::kIdleTimeout), 2u);
}

// More clients than two waits tell of take their replies while the loop is busy.
TEST_P(BusyLoop, AWriteClockWaitsUntilTheRoomAtItsSocketWasUsed) {
  constexpr size_t kClients = 600;
  tr::Limits limits;
  limits.write_time_max = 2s;
  serve(limits, [this](uint16_t port) {
    std::vector<std::unique_ptr<sim::SimClient>> clients;
    for (size_t i = 0; i < kClients; ++i) {
      clients.push_back(std::make_unique<sim::SimClient>(world));
      ASSERT_EQ(clients.back()->connect(port), 0);
      ASSERT_EQ(clients.back()->send_all("large\n"), 0);
    }
    world.sleep_for(100ms);  // why: virtual time; all sockets are full
    sim::SimClient busy(world);
    ASSERT_EQ(busy.connect(port), 0);
    ASSERT_EQ(busy.send_all("busy\n"), 0);
    world.sleep_for(1ms);  // why: virtual time; it has the loop
    std::vector<size_t> taken;
    for (const auto& client : clients)
      taken.push_back(client->receive_exactly(8 << 10).bytes.size());
    for (size_t i = 0; i < kClients; ++i) {
      taken[i] += clients[i]->receive_exactly(kLargeBytes - taken[i]).bytes.size();
      EXPECT_EQ(taken[i], kLargeBytes) << i;
    }
  });
  EXPECT_EQ(closed(tr::CloseReason::kWriteTimeout), 0u);
}

// What had arrived when the clock ran out is heard, and no more: dripping puts nothing off.
TEST_P(BusyLoop, AnUnfinishedRequestIsLateOnceWhatHadArrivedWasHeard) {
  tr::Limits limits;
  limits.request_time_max = 1s;
  serve(limits, [this](uint16_t port) {
    sim::SimClient whole(world), dripping(world), busy(world);
    for (sim::SimClient* client : {&whole, &dripping}) {
      ASSERT_EQ(client->connect(port), 0);
      ASSERT_EQ(client->send_all("par"), 0);
    }
    ASSERT_EQ(busy.connect(port), 0);
    world.sleep_for(10ms);  // why: virtual time; the parts are heard
    ASSERT_EQ(busy.send_all("busy\n"), 0);
    world.sleep_for(10ms);  // why: virtual time; it has the loop
    const tr::TimePoint began = world.now();
    EXPECT_EQ(whole.send_all("t\n"), 0);
    while (dripping.send_all(".") == 0 && world.now() - began < 5s) {
      world.sleep_for(100us);  // why: virtual time
    }
    EXPECT_EQ(whole.receive_exactly(5).bytes, "part\n");
    EXPECT_GE(world.now() - began, 2900ms);
    EXPECT_LE(world.now() - began, 3200ms);
  });
  EXPECT_EQ(closed(tr::CloseReason::kRequestTimeout), 1u);
}

INSTANTIATE_TEST_SUITE_P(Drivers, BusyLoop,
                         ::testing::Values(tr::DriverKind::kEpoll, tr::DriverKind::kEpollEdge,
                                           tr::DriverKind::kPoll, tr::DriverKind::kSelect),
                         [](const auto& tested) {
                           switch (tested.param) {
                             case tr::DriverKind::kEpoll:
                               return "Epoll";
                             case tr::DriverKind::kEpollEdge:
                               return "EpollEdge";
                             case tr::DriverKind::kPoll:
                               return "Poll";
                             default:
                               return "Select";
                           }
                         });

}  // namespace
