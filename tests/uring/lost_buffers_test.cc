// Goal: a buffer of the ring comes back whatever becomes of the channel whose bytes are in it.
// Method: a ring with four buffers; bytes of several channels wait in one turn, and the first that
// is told closes the others, again and again.
#include "support/unit_driver.h"
#include "trireme/uring.h"
#include "uring/uring_driver.h"

namespace trireme::inline v0 {
namespace {

std::unique_ptr<Driver> make(Kernel& kernel, Buffers& buffers, LoopCounters& counters) {
  const uring::UringDriver::Sizes few{.small_count = 4, .large_count = 4};
  auto driver = std::make_unique<uring::UringDriver>(kernel, buffers, counters, few);
  EXPECT_EQ(driver->open(), 0);
  return driver;
}

class LostBuffers : public unit::DriverFixture {};

std::vector<unit::DriverCase> cases() {
  ServerOptions options;
  if (!use_io_uring(options)) return {};
  return {{.name = "io_uring", .make = make, .refuses = unit::Refuses::kNothing}};
}
INSTANTIATE_TEST_SUITE_P(Uring, LostBuffers, ::testing::ValuesIn(cases()), unit::driver_name);
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(LostBuffers);

TEST_P(LostBuffers, ComeBackFromChannelsThatCloseBeforeTheyAreTold) {
  constexpr int kRounds = 8;
  for (int round = 0; round < kRounds; ++round) {
    std::vector<Channel*> channels;
    std::vector<int> clients;
    for (int i = 0; i < 4; ++i) {
      channels.push_back(&fresh());
      clients.push_back(connected(*channels.back()));
    }
    turn(0);  // all of them receive
    for (const int client : clients) say(client, "x");
    bool told = false;
    ASSERT_TRUE(repeat_until([&] { return told; },
                             [&] {
                               turn(100, [&](const unit::Happened& it) {
                                 if (it.kind != Kind::kReceived || told) return;
                                 told = true;
                                 for (Channel* other : channels) {
                                   if (other != it.channel) driver.close(*other);
                                 }
                               });
                             }));
  }
  Channel& last = fresh();
  const int client = connected(last);
  say(client, "heard");
  EXPECT_TRUE(turn_until([&] { return received(last) == "heard"; })) << "no buffer is left";
  EXPECT_LE(returns_while_quiet(), 3);
}

}  // namespace
}  // namespace trireme
