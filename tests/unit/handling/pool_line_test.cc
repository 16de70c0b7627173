// Goal: nobody waits in vain beside a free place, nobody overtakes, and there are never more things
// than places, also after failures and when what is stale is replaced.
// Method: makers that fail or wait when the test says so; waits of an hour, which must end at once.
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "support/gate.h"
#include "support/wait.h"
#include "trireme/pool.h"
#include "trireme/testing/conversation.h"

namespace trireme { namespace {

using namespace std::chrono_literals;
using support::Gate;
using support::wait_until;

// A pool of two whose first is taken, whose second is being made, and behind which others wait.
class PoolLine : public ::testing::Test {
 protected:
  void SetUp() override { first_ = pool_.take(); }
  ~PoolLine() override { join(); }

  // Whoever makes the second: its outcome is said by let_make().
  void begin_to_make() {
    threads_.emplace_back([this] { pool_.take(); });
    EXPECT_TRUE(wait_until([&] { return gate_.arrived() == 1; }));
  }
  void end_making(bool well) {
    works_ = well;
    gate_.open();
  }
  // Takers that wait, in this order. Each keeps what it gets until it may go.
  void wait(size_t count) {
    for (size_t i = 0; i < count; ++i) {
      const uint64_t waiting = pool_.stats().waiting;
      threads_.emplace_back([this, i] {
        const Taken<int> taken = pool_.take();
        {
          const std::lock_guard lock(mutex_);
          served_.push_back(i);
          problems_.push_back(taken.problem());
        }
        if (taken) go_.wait();
      });
      EXPECT_TRUE(wait_until([&] { return pool_.stats().waiting > waiting; }));
    }
  }
  bool is_served() {
    const std::lock_guard lock(mutex_);
    return !served_.empty();
  }
  bool are_served(size_t count) {
    return wait_until([&] {
      const std::lock_guard lock(mutex_);
      return served_.size() == count;
    });
  }
  void join() {
    gate_.open();
    go_.open();
    for (std::thread& thread : threads_) thread.join();
    threads_.clear();
  }

  std::atomic<bool> works_{true};
  std::atomic<int> calls_{0};
  Gate gate_, go_;
  Pool<int> pool_{{.make = [this](std::chrono::nanoseconds) -> Result<int> {
                     if (++calls_ == 2) gate_.wait();
                     if (works_) return calls_.load();
                     return Error{Error::Code::kSystem, "away"};
                   },
                   .count_max = 2,
                   .wait_time_max = 1h,
                   .back_off_min = back_off_,
                   .back_off_max = back_off_}};
  Taken<int> first_;
  std::mutex mutex_;
  std::vector<size_t> served_;
  std::vector<std::string> problems_;
  std::vector<std::thread> threads_;

  static constexpr std::chrono::nanoseconds back_off_ = 100ms;
};

TEST_F(PoolLine, WhereNoneCanComeAllThatWaitHearWhy) {
  begin_to_make();
  wait(3);
  end_making(false);
  EXPECT_TRUE(wait_until([&] { return pool_.stats().make_failures == 1; }));
  first_.throw_away();
  EXPECT_TRUE(are_served(3));
  join();
  EXPECT_EQ(problems_, std::vector<std::string>(3, "away"));
}

// The first of the line gets what comes back; the place is for the second.
TEST_F(PoolLine, APlaceThatIsLeftIsTakenAfterTheBackOff) {
  begin_to_make();
  wait(2);
  end_making(false);
  EXPECT_FALSE(wait_until([&] { return is_served(); }, 20ms)) << "none can be made";
  works_ = true;
  first_.give_back();
  EXPECT_TRUE(are_served(2));
  join();
  EXPECT_EQ(problems_, std::vector<std::string>(2, ""));
  EXPECT_EQ(pool_.stats().made, 2u);
}

TEST_F(PoolLine, NobodyOvertakesWhoWaitsForTheEndOfABackOff) {
  begin_to_make();
  wait(3);
  end_making(false);
  EXPECT_TRUE(wait_until([&] { return pool_.stats().make_failures == 1; }));
  works_ = true;
  EXPECT_TRUE(are_served(1));
  go_.open();
  EXPECT_TRUE(are_served(3));
  join();
  EXPECT_EQ(served_.front(), 0u);
}

// The one that waits for the back-off goes away; the next one takes its part over.
TEST_F(PoolLine, WhoeverLeavesTheLineHandsItsPartOver) {
  begin_to_make();
  std::thread leaves([&] { EXPECT_FALSE(pool_.take(1ms)); });
  leaves.join();
  EXPECT_EQ(pool_.stats().waiting, 0u);
  wait(1);
  end_making(false);
  EXPECT_TRUE(wait_until([&] { return pool_.stats().make_failures == 1; }));
  works_ = true;
  EXPECT_TRUE(are_served(1));
}

TEST_F(PoolLine, TheLongestTimeIsNoShortOne) {
  begin_to_make();
  std::atomic<bool> has_one{false};
  threads_.emplace_back(
      [&] { has_one = static_cast<bool>(pool_.take(std::chrono::hours::max())); });
  EXPECT_TRUE(wait_until([&] { return pool_.stats().waiting == 1; }));
  first_.give_back();
  EXPECT_TRUE(wait_until([&] { return has_one.load(); }));
  std::thread drains([&] { EXPECT_TRUE(pool_.drain(std::chrono::hours::max())); });
  gate_.open();
  drains.join();
}

TEST(PoolPlaces, TryTakeMakesNone) {
  Pool<int> pool({.make = [](std::chrono::nanoseconds) -> Result<int> { return 1; }});
  EXPECT_FALSE(pool.try_take());
  EXPECT_EQ(pool.stats().made, 0u);
  pool.take();
  EXPECT_TRUE(pool.try_take());
}

struct Counted {
  explicit Counted(std::atomic<int>& live) : counter(&live) { ++*counter; }
  Counted(Counted&& other) noexcept : counter(std::exchange(other.counter, nullptr)) {}
  Counted& operator=(Counted&&) = delete;
  ~Counted() {
    if (counter != nullptr) --*counter;
  }
  std::atomic<int>* counter;
};

// What is stale is gone before anything is made in its place.
TEST(PoolPlaces, ThereAreNeverMoreThingsThanPlaces) {
  std::atomic<int> live{0}, live_max{0};
  Pool<Counted> pool({.make = [&](std::chrono::nanoseconds) -> Result<Counted> {
                        Counted made(live);
                        live_max = std::max(live_max.load(), live.load());
                        return made;
                      },
                      .count_max = 2,
                      .idle_time_max = 1min});
  testing::Conversation talk(lines(), [&](const Request& request) -> Answer {
    const auto one = pool.take(), two = pool.take();
    return one && two ? request.own() : "none";
  });
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(talk.say("x\n"), "x\n");
    talk.advance(2min);
  }
  EXPECT_EQ(pool.stats().made, 6u);
  EXPECT_EQ(live_max, 2);
}

}  // namespace
}  // namespace trireme
