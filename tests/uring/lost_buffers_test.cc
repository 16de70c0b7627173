// Goal: a buffer of the ring comes back whatever becomes of the channel whose bytes are in it.
// Method: a ring with four buffers; bytes of several channels wait in one turn, and the first that
// is told closes the others, again and again.
#include <utility>
#include <vector>

#include "support/unit_driver.h"
#include "trireme/uring.h"
#include "uring/uring_driver.h"

namespace trireme { inline namespace v0 { namespace {

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
  constexpr size_t kBuffers = 4;
  for (int round = 0; round < 4; ++round) {
    std::vector<Channel*> channels;
    std::vector<int> clients;
    for (size_t i = 0; i < kBuffers; ++i) {
      channels.push_back(&fresh());
      clients.push_back(connected(*channels.back()));
    }
    turn(0);  // all of them receive
    for (const int client : clients) say(client, "x");
    // There is a buffer for each, so one turn brings them all.
    bool told = false;
    turn(1000, [&](const unit::Happened& it) {
      if (it.kind != Kind::kReceived || std::exchange(told, true)) return;
      EXPECT_EQ(it.bytes, "x");
      for (Channel* other : channels) {
        if (other != it.channel) driver.close(*other);
      }
    });
    EXPECT_TRUE(told);
    EXPECT_TRUE(driver.drained()) << "a buffer was missing in round " << round;
  }
}

}  // namespace
}}  // namespace trireme
