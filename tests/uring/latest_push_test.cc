// Goal: as tests/unit/connection/latest_push_test.cc, with a driver that takes bytes and gives them
// back when the socket is full. Method: the same.
#include "support/test_server.h"
#include "support/unit_pushes.h"
#include "uring/uring_driver.h"

namespace trireme { inline namespace v0 { namespace {

std::unique_ptr<Driver> make_ring(Kernel& kernel, Buffers& buffers, LoopCounters& counters) {
  auto driver =
      std::make_unique<uring::UringDriver>(kernel, buffers, counters, uring::UringDriver::Sizes{});
  EXPECT_EQ(driver->open(), 0);
  return driver;
}

class RingLatestPush : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!support::has_uring()) GTEST_SKIP() << "this system refuses io_uring";
  }
};

TEST_F(RingLatestPush, IsReplacedAtAFullSocket) { unit::expect_latest_is_replaced(make_ring); }
TEST_F(RingLatestPush, LeavesOthersWhereTheyAre) { unit::expect_others_stay(make_ring); }

}  // namespace
}}  // namespace trireme
