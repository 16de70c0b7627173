// Goal: where several loops accept and have paused, what becomes free wakes one of them, and a
// failure none; yet nobody waits in vain, whichever loop's socket he waits at. Method: doors of
// many loops, each at a port of its own, turned by hand; a clock that stands still, so that no loop
// looks again by itself.
#include <gtest/gtest.h>

#include <cerrno>
#include <deque>
#include <memory>

#include "accept/loop_door.h"
#include "runtime/drivers/readiness_driver.h"
#include "support/hand_clock.h"
#include "support/unit_doors.h"

namespace trireme { inline namespace v0 { namespace {

using Site = FaultyKernel::Site;

std::unique_ptr<Driver> make_epoll(Kernel& kernel, Buffers& buffers, LoopCounters& counters) {
  auto driver = std::make_unique<ReadinessDriver>(kernel, buffers, counters, DriverKind::kEpoll);
  EXPECT_EQ(driver->open(), 0);
  return driver;
}

struct WithClock {
  support::HandClock clock_;
};

class AcceptTurns : public WithClock, public unit::DoorsFixture {
 protected:
  explicit AcceptTurns(uint32_t loops = 16, size_t connections_max = 2)
      : DoorsFixture(make_epoll, connections_max, loops, clock_) {
    for (uint32_t index = 0; index < loops; ++index) {
      Listening& own = listenings_.emplace_back();
      own.options.accepting = Accepting::kLoops;
      own.url = "tcp://127.0.0.1:0";
      LoopDoor* const door[] = {doors_[index].get()};
      EXPECT_TRUE(bind_listening(kernel_, own, door).ok());
    }
  }

  void come_to(uint32_t index, int count) {
    for (int i = 0; i < count; ++i) clients_.emplace_back(listenings_[index].url);
  }
  // Until nothing more happens: a turn that is passed on takes some turns of the loops.
  size_t turn_all(size_t rounds = 0) {
    if (rounds == 0) rounds = 3 * doors_.size();
    size_t taken = 0;
    for (size_t round = 0; round < rounds; ++round) {
      for (uint32_t index = 0; index < doors_.size(); ++index) taken += turn(index);
    }
    return taken;
  }
  int given(size_t rounds = 0) {
    turns_given_ = 0;
    turn_all(rounds);
    return turns_given_;
  }
  uint64_t pauses() {
    uint64_t sum = 0;
    for (uint32_t i = 0; i < doors_.size(); ++i) sum += context().books(i).accept_pauses.get();
    return sum;
  }

  std::deque<Listening> listenings_;
};

TEST_F(AcceptTurns, AFreedPlaceWakesOneLoop) {
  for (uint32_t index = 0; index < 16; ++index) come_to(index, 3);
  turn_all();
  ASSERT_EQ(taken_.size(), 2u);
  ASSERT_EQ(pauses(), 16u);  // somebody waits at each of them
  int given_to_all = 0;
  for (size_t served = 1; served <= 46; ++served) {
    context().places.leave();
    const int turns = given();
    given_to_all += turns;
    if (served <= 16) {
      EXPECT_EQ(turns, 1);
    }
    ASSERT_EQ(taken_.size(), 2 + served) << "somebody waits in vain";
  }
  EXPECT_LE(given_to_all, 46 + 16) << "a loop at which nobody waits is asked once";
}

// Places that become free at once wake as many loops.
TEST_F(AcceptTurns, EachOfSeveralPlacesWakesAnother) {
  for (uint32_t index = 0; index < 16; ++index) come_to(index, 1);
  turn_all();
  ASSERT_EQ(taken_.size(), 2u);
  context().places.leave();
  context().places.leave();
  EXPECT_EQ(given(), 2);
  EXPECT_EQ(taken_.size(), 4u);
}

class ThreeLoops : public AcceptTurns {
 protected:
  ThreeLoops() : AcceptTurns(3, 3) {}
  // It has guessed that more will come, and there was no place to ask for.
  void pause_without_anybody(uint32_t index) {
    come_to(index, 1);
    turn(index);
    come_to(index, 2);
    turn(index);
    ASSERT_EQ(taken_.size(), 3u);
    ASSERT_EQ(context().books(index).accept_pauses.get(), 1u);
  }
};

TEST_F(ThreeLoops, WhoFindsNobodyPassesTheTurnOn) {
  pause_without_anybody(0);
  come_to(2, 1);
  turn(1);
  turn(2);
  ASSERT_EQ(pauses(), 2u);
  context().places.leave();
  turns_given_ = 0;
  turn_all();
  EXPECT_EQ(taken_.size(), 4u) << "the client of the third loop waits in vain";
  EXPECT_EQ(turns_given_, 2);
}

class FourLoops : public AcceptTurns {
 protected:
  FourLoops() : AcceptTurns(4, 100) {
    for (uint32_t index = 0; index < 4; ++index) come_to(index, 3);
  }
};

TEST_F(FourLoops, AFailureWakesNobody) {
  kernel_.plan({.site = Site::kAccept, .error = EMFILE, .times = FaultyKernel::kForEver});
  EXPECT_EQ(given(50), 0);
  EXPECT_EQ(kernel_.calls(Site::kAccept), 4u) << "one try a loop, and then a pause";
  EXPECT_EQ(pauses(), 4u);
  // A place is of no use to them.
  EXPECT_TRUE(context().places.enter());
  context().places.leave();
  EXPECT_EQ(given(10), 0);
  // Nor a descriptor that somebody else has taken meanwhile, to more than one.
  context().places.give_turn(AcceptWait::kDescriptor);
  EXPECT_EQ(given(10), 1);
  EXPECT_EQ(kernel_.calls(Site::kAccept), 5u);
  kernel_.heal();
  context().places.give_turn(AcceptWait::kDescriptor);
  EXPECT_EQ(given(10), 1);
  EXPECT_EQ(taken_.size(), 3u) << "all of one loop";
  // The others look again by themselves, when their back-off is over.
  clock_.pass(std::chrono::seconds(1));
  turn_all();
  EXPECT_EQ(taken_.size(), 12u);
}

// The last place was taken for an accept that failed: whoever has paused for that looks again soon.
TEST_F(ThreeLoops, APlaceThatAFailureGivesBackIsFoundByTheBackOff) {
  for (int i = 0; i < 2; ++i) EXPECT_TRUE(context().places.enter());
  come_to(0, 1);
  come_to(1, 1);
  kernel_.plan({.site = Site::kAccept, .error = EMFILE});
  EXPECT_TRUE(context().places.enter());
  turn(1);  // no place
  context().places.give_back();
  turn(0);  // no descriptor
  EXPECT_EQ(pauses(), 2u);
  clock_.pass(std::chrono::milliseconds(10));
  turn_all(6);
  EXPECT_EQ(taken_.size(), 1u);
}

}  // namespace
}}  // namespace trireme
