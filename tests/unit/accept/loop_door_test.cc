// Goal: clients are taken from a listening socket without a call for nothing where they come one by
// one, in bounded shares where many come at once, never more than there are places for, and at the
// end all who wait. Method: the door of one loop, turned by hand; a kernel that counts.
#include "accept/loop_door.h"

#include <gtest/gtest.h>

#include <memory>
#include <vector>

#include "runtime/drivers/readiness_driver.h"
#include "support/unit_doors.h"

namespace trireme { inline namespace v0 { namespace {

using Site = FaultyKernel::Site;

TEST(AcceptBatch, OneByOneThenManyAtOnce) {
  AcceptBatch batch;
  for (uint64_t turn = 2; turn < 20; turn += 2) EXPECT_EQ(batch.begin(turn), 1u);
  uint32_t sizes[5];
  for (uint64_t turn = 0; turn < 5; ++turn) sizes[turn] = batch.begin(101 + turn);
  EXPECT_EQ(std::vector<uint32_t>(sizes, sizes + 5), (std::vector<uint32_t>{1, 4, 16, 64, 64}));
}

// One client a turn: it is asked in vain in few of them.
TEST(AcceptBatch, DoesNotGuessAgainAtOnce) {
  AcceptBatch batch;
  int in_vain = 0;
  for (uint64_t turn = 1; turn <= 90; ++turn) {
    if (batch.begin(turn) == 1) continue;
    batch.ran_dry(1);
    ++in_vain;
  }
  EXPECT_EQ(in_vain, 10);
}

std::unique_ptr<Driver> make_epoll_driver(Kernel& kernel, Buffers& buffers,
                                          LoopCounters& counters) {
  auto driver = std::make_unique<ReadinessDriver>(kernel, buffers, counters, DriverKind::kEpoll);
  EXPECT_EQ(driver->open(), 0);
  return driver;
}

class Doors : public unit::DoorsFixture {
 protected:
  explicit Doors(size_t connections_max = 200) : DoorsFixture(make_epoll_driver, connections_max) {}
};

TEST_F(Doors, OneCallForAClientThatComesAlone) {
  open(1);
  for (int i = 0; i < 20; ++i) {
    come(1);
    EXPECT_EQ(turn(), 1u);
    EXPECT_EQ(turn(), 0u);
  }
  EXPECT_EQ(kernel_.calls(Site::kAccept), 20u);
}

TEST_F(Doors, ABurstIsSpreadOverTurns) {
  open(1);
  come(150);
  size_t turns = 0;
  for (; taken_.size() < 150 && turns < 20; ++turns) EXPECT_LE(turn(), 64u);
  EXPECT_LE(turns, 6u);
  EXPECT_LE(kernel_.calls(Site::kAccept), 151u);
}

class FewPlaces : public Doors {
 protected:
  FewPlaces() : Doors(3) {}
};

// Two loops, and clients at both: not one more than there are places for is taken out of a backlog.
TEST_F(FewPlaces, LoopsThatAcceptSideBySideShareThem) {
  open(2);
  come(20);
  for (int i = 0; i < 6; ++i) {
    turn(0);
    turn(1);
  }
  EXPECT_EQ(taken_.size(), 3u);
  EXPECT_EQ(kernel_.calls(Site::kAccept), 3u);
  EXPECT_GE(context().books(0).accept_pauses.get() + context().books(1).accept_pauses.get(), 1u);
  for (size_t served = 1; served <= 17; ++served) {  // whoever leaves makes room for one
    context().places.leave();
    ASSERT_TRUE(support::wait_until([&] { return turn(0) + turn(1) == 1; }));
    EXPECT_EQ(taken_.size(), 3 + served);
  }
}

TEST(DoorAtDrain, TakesWhoWaitsFirst) { unit::drain_takes_who_waits_first(make_epoll_driver, 100); }

}  // namespace
}}  // namespace trireme
