// Goal: a driver that accepts by itself takes clients out of the backlog before there is a place
// for them, and nobody notices: limits hold, they come in when there is room, and none is leaked.
// Method: the doors of loops on io_uring, turned by hand.
#include <memory>
#include <vector>

#include "support/test_server.h"
#include "support/unit_doors.h"
#include "trireme/uring.h"
#include "uring/uring_driver.h"

namespace trireme { inline namespace v0 { namespace {

using support::Client;

struct FailAccepts final : uring::Faults {
  int fail(uring::Op op) override {
    if (op != uring::Op::kAccept || times == 0) return 0;
    --times;
    ++met;
    return error;
  }
  int error = 0, times = 0, met = 0;
};

FailAccepts* accepts = nullptr;  // of the test that runs

std::unique_ptr<Driver> make_ring(Kernel& kernel, Buffers& buffers, LoopCounters& counters) {
  auto driver = std::make_unique<uring::UringDriver>(kernel, buffers, counters,
                                                     uring::UringDriver::Sizes{}, accepts);
  EXPECT_EQ(driver->open(), 0);
  return driver;
}

struct WithFaults {
  WithFaults() { accepts = &faults; }
  ~WithFaults() { accepts = nullptr; }
  FailAccepts faults;
};

bool has_ring() {
  ServerOptions options;
  return use_io_uring(options).ok();
}

// Nothing that needs a ring: where there is none, the test is left out before that.
class RingDoors : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!has_ring()) GTEST_SKIP() << "this system refuses io_uring";
  }
};

// Two doors and places for `connections_max`.
class Doors final : private WithFaults, private unit::DoorsFixture {
 public:
  explicit Doors(size_t connections_max) : DoorsFixture(make_ring, connections_max) {}

  using DoorsFixture::clients_;
  using DoorsFixture::come;
  using DoorsFixture::context;
  using DoorsFixture::open;
  using DoorsFixture::taken_;
  using DoorsFixture::turn;
  using WithFaults::faults;

  // Accepted by a ring and not admitted, at all doors.
  size_t early() {
    uint64_t open = 0;
    for (uint32_t index : {0u, 1u}) {
      const LoopCounters& counters = context().loop(index).counters;
      open += counters.descriptors_opened.get() - counters.descriptors_closed.get();
    }
    return open - doors_open_ - taken_.size();
  }
  void open_all(size_t count) {
    open(count);
    doors_open_ = count;
  }
  void end(uint32_t index) {
    context().loop(index).assume_held();
    doors_[index]->stop_in_loop(false);
    turn(index);
    EXPECT_TRUE(doors_[index]->stopped_in_loop());
    --doors_open_;
  }

 private:
  void TestBody() override {}
  size_t doors_open_ = 0;
};

TEST_F(RingDoors, AllWhoComeAreAdmitted) {
  Doors doors(500);
  doors.open_all(1);
  for (int i = 0; i < 5; ++i) {
    doors.come(1);
    ASSERT_TRUE(support::wait_until([&] { return doors.turn() == 1; }));
  }
  doors.come(300);
  ASSERT_TRUE(support::wait_until([&] {
    doors.turn();
    return doors.taken_.size() == 305;
  }));
  EXPECT_EQ(doors.early(), 0u);
  EXPECT_EQ(doors.context().books(0).accept_pauses.get(), 0u);
}

TEST_F(RingDoors, WhoIsEarlyIsTheFirstWhenThereIsRoom) {
  Doors doors(3);
  doors.open_all(2);
  doors.come(30);
  for (int i = 0; i < 6; ++i) {
    doors.turn(0);
    doors.turn(1);
  }
  EXPECT_EQ(doors.taken_.size(), 3u);
  EXPECT_GT(doors.early(), 0u);
  for (size_t served = 1; served <= 27; ++served) {  // whoever leaves makes room for one
    doors.context().places.leave();
    ASSERT_TRUE(support::wait_until([&] { return doors.turn(0) + doors.turn(1) == 1; }));
    EXPECT_EQ(doors.taken_.size(), 3 + served);
  }
  EXPECT_EQ(doors.early(), 0u);
}

// A server that is full, and stays so, takes one too many at each door, not all who wait.
TEST_F(RingDoors, AFullServerTakesOneTooMany) {
  Doors doors(3);
  doors.open_all(1);
  doors.come(4);
  for (int i = 0; i < 4; ++i) doors.turn();
  ASSERT_EQ(doors.taken_.size(), 3u);
  doors.come(30);
  for (int i = 0; i < 10; ++i) {
    for (int turns = 0; turns < 4; ++turns) doors.turn();
    EXPECT_LE(doors.early(), 1u);
    doors.context().places.leave();
    ASSERT_TRUE(support::wait_until([&] { return doors.turn() == 1; }));
  }
}

TEST_F(RingDoors, WhoIsEarlyAtTheEndIsClosed) {
  const size_t descriptors = support::open_descriptors();
  {
    Doors doors(3);
    doors.open_all(1);
    doors.come(20);
    for (int i = 0; i < 4; ++i) doors.turn();
    ASSERT_EQ(doors.taken_.size(), 3u);
    ASSERT_GT(doors.early(), 0u);
    doors.end(0);
    EXPECT_EQ(doors.early(), 0u);
    for (size_t i = 3; i < doors.clients_.size(); ++i) {
      EXPECT_EQ(doors.clients_[i].receive_all(), "");
      ASSERT_NE(doors.clients_[i].end(), Client::End::kDeadline);
    }
  }
  EXPECT_EQ(support::open_descriptors(), descriptors);
}

// The door is destroyed while the ring accepts, as in a server that does not start.
TEST_F(RingDoors, NothingIsLeftBehind) {
  const size_t descriptors = support::open_descriptors();
  for (const int turns : {0, 1, 3}) {
    Doors doors(3);
    doors.open_all(2);
    for (int i = 0; i < turns; ++i) {
      doors.come(5);
      doors.turn(0);
      doors.turn(1);
    }
  }
  EXPECT_EQ(support::open_descriptors(), descriptors);
}

// Out of descriptors: it pauses, tries seldom, and takes who waits when that is over.
TEST_F(RingDoors, AnAcceptThatFailsIsTriedSeldom) {
  for (const int error : {EMFILE, ENFILE, ENOMEM, EPERM}) {
    Doors doors(10);
    doors.faults.error = error;
    doors.faults.times = 3;
    doors.open_all(1);
    doors.come(2);
    size_t turns = 0;
    ASSERT_TRUE(support::wait_until([&] {
      doors.turn();
      ++turns;
      return doors.taken_.size() == 2;
    }));
    EXPECT_EQ(doors.faults.met, 3);
    EXPECT_EQ(doors.context().books(0).accept_failures.get(), 3u);
    EXPECT_EQ(doors.context().books(0).accept_pauses.get(), 3u);
    EXPECT_GT(turns, 10u) << "it did not wait in between";
  }
}

TEST_F(RingDoors, TheDrainTakesWhoWaitsFirst) {
  for (const size_t turn_at : {size_t{0}, size_t{50}, size_t{99}, size_t{100}}) {
    unit::drain_takes_who_waits_first(make_ring, turn_at);
  }
}

}  // namespace
}}  // namespace trireme
