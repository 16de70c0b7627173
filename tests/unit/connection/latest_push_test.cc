// Goal: a push with Overflow::kLatest that has not begun to leave is replaced by a newer one, also
// the first that the socket refuses. Method: a full socket, for each readiness driver.
#include "runtime/drivers/readiness_driver.h"
#include "support/unit_pushes.h"

namespace trireme { inline namespace v0 { namespace {

template <DriverKind kind>
std::unique_ptr<Driver> make(Kernel& kernel, Buffers& buffers, LoopCounters& counters) {
  auto driver = std::make_unique<ReadinessDriver>(kernel, buffers, counters, kind);
  EXPECT_EQ(driver->open(), 0);
  return driver;
}

class LatestPush : public ::testing::TestWithParam<unit::FullSocket::MakeDriver> {};
INSTANTIATE_TEST_SUITE_P(Drivers, LatestPush,
                         ::testing::Values(make<DriverKind::kEpoll>, make<DriverKind::kEpollEdge>,
                                           make<DriverKind::kPoll>, make<DriverKind::kSelect>));

TEST_P(LatestPush, IsReplacedAtAFullSocket) { unit::expect_latest_is_replaced(GetParam()); }
TEST_P(LatestPush, LeavesOthersWhereTheyAre) { unit::expect_others_stay(GetParam()); }

}  // namespace
}}  // namespace trireme
