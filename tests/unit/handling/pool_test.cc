// Goal: a pool has at most so many things, gives each to one taker at a time, in the order of the
// takers, and knows when one is stale, broken or cannot be made.
// Method: things that are numbers; threads at a gate; handlers of a conversation, whose clock is
// the test's.
#include "trireme/pool.h"

#include <gtest/gtest.h>

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "support/wait.h"
#include "trireme/testing/conversation.h"

namespace trireme { namespace {

using namespace std::chrono_literals;
using support::wait_until;
using Options = PoolOptions<int>;

// Makes 1, 2, 3 ...; fails while it is told to.
struct Maker {
  std::atomic<int> made{0};
  std::atomic<bool> fails{false};

  std::function<Result<int>(std::chrono::nanoseconds)> make() {
    return [this](std::chrono::nanoseconds) -> Result<int> {
      if (fails) return Error{Error::Code::kSystem, "out of numbers"};
      return ++made;
    };
  }
};

TEST(Pool, MakesOnDemandAndUsesTheNewestAgain) {
  Maker maker;
  Pool<int> pool({.make = maker.make(), .count_max = 2});
  EXPECT_EQ(pool.stats().idle, 0u);
  {
    const Taken<int> one = pool.take(), two = pool.take();
    ASSERT_TRUE(one && two);
    EXPECT_EQ(*one, 1);
    EXPECT_EQ(*two, 2);
    EXPECT_EQ(pool.stats().in_use, 2u);
    EXPECT_FALSE(pool.try_take());
  }
  EXPECT_EQ(pool.stats().in_use, 0u);
  EXPECT_EQ(pool.stats().idle, 2u);
  EXPECT_EQ(*pool.take(), 1) << "the last one that came back";
  EXPECT_EQ(*pool.try_take(), 1);
  EXPECT_EQ(pool.stats().made, 2u);
  EXPECT_EQ(pool.stats().taken, 4u);
}

TEST(Pool, ATakerThatWaitsGetsWhatComesBack) {
  Maker maker;
  Pool<int> pool({.make = maker.make(), .count_max = 1});
  Taken<int> held = pool.take();
  std::atomic<int> got{0};
  std::thread waits([&] { got = *pool.take(); });
  EXPECT_TRUE(wait_until([&] { return pool.stats().waiting == 1; }));
  EXPECT_EQ(got, 0);
  held.give_back();
  EXPECT_FALSE(held);
  waits.join();
  EXPECT_EQ(got, 1);
  EXPECT_EQ(pool.stats().waited, 1u);
  EXPECT_EQ(pool.stats().waiting, 0u);
  EXPECT_GT(pool.stats().wait_time, 0ns);
}

TEST(Pool, TakersAreServedInTheirOrder) {
  Maker maker;
  Pool<int> pool({.make = maker.make(), .count_max = 1});
  Taken<int> held = pool.take();
  std::mutex mutex;
  std::vector<int> order;
  std::vector<std::thread> threads;
  for (int i = 0; i < 5; ++i) {
    threads.emplace_back([&, i] {
      const Taken<int> mine = pool.take();
      const std::lock_guard lock(mutex);
      order.push_back(i);
    });
    ASSERT_TRUE(wait_until([&] { return pool.stats().waiting == static_cast<uint64_t>(i + 1); }));
  }
  EXPECT_FALSE(pool.try_take()) << "nobody overtakes";
  held.give_back();
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(order, (std::vector<int>{0, 1, 2, 3, 4}));
}

TEST(Pool, WhenTheTimeIsOverItIsBusy) {
  Maker maker;
  Pool<int> pool({.make = maker.make(), .count_max = 1, .wait_time_max = 1ms});
  const Taken<int> held = pool.take();
  const Taken<int> none = pool.take();
  EXPECT_FALSE(none);
  EXPECT_EQ(none.refusal().kind(), Answer::Kind::kBusy);
  EXPECT_FALSE(pool.take(0ns));
  EXPECT_EQ(pool.stats().busy, 2u);
  EXPECT_EQ(pool.stats().waiting, 0u);
}

TEST(Pool, OneThatIsThrownAwayGoesAloneAndItsPlaceIsTaken) {
  Maker maker;
  Pool<int> pool({.make = maker.make(), .count_max = 2});
  Taken<int> one = pool.take(), two = pool.take();
  std::atomic<int> got{0};
  std::thread waits([&] { got = *pool.take(); });
  EXPECT_TRUE(wait_until([&] { return pool.stats().waiting == 1; }));
  one.throw_away();
  EXPECT_FALSE(one);
  waits.join();
  EXPECT_EQ(got, 3) << "made by the one that waited";
  EXPECT_EQ(*two, 2);
  EXPECT_EQ(pool.stats().unhealthy, 1u);
}

TEST(Pool, MayGoBeforeWhatWasTaken) {
  Maker maker;
  Taken<int> taken;
  {
    Pool<int> pool({.make = maker.make()});
    taken = pool.take();
  }
  EXPECT_EQ(*taken, 1);
}

TEST(Pool, AnExceptionOfMakeIsTheHandlersAndCostsNoPlace) {
  int calls = 0;
  Pool<int> pool({.make = [&](std::chrono::nanoseconds) -> Result<int> {
                    if (++calls == 1) throw std::runtime_error("bad luck");
                    return calls;
                  },
                  .count_max = 1,
                  .back_off_min = 0ns,
                  .back_off_max = 0ns});
  EXPECT_THROW(pool.take(), std::runtime_error);
  EXPECT_EQ(*pool.take(), 2);
  EXPECT_EQ(pool.stats().make_failures, 1u);
}

TEST(Pool, DrainEndsWaitsAndWaitsForWhatIsOut) {
  Maker maker;
  Pool<int> pool({.make = maker.make(), .count_max = 1});
  Taken<int> held = pool.take();
  std::atomic<bool> is_busy{false}, is_drained{false};
  std::thread waits([&] {
    const Taken<int> none = pool.take();
    is_busy = !none && none.refusal().kind() == Answer::Kind::kBusy;
  });
  EXPECT_TRUE(wait_until([&] { return pool.stats().waiting == 1; }));
  EXPECT_FALSE(pool.drain(0ns)) << "one is out";
  waits.join();
  EXPECT_TRUE(is_busy);
  std::thread drains([&] { is_drained = pool.drain(1h); });
  held.give_back();
  drains.join();
  EXPECT_TRUE(is_drained);
  EXPECT_EQ(pool.stats().idle, 0u);
  EXPECT_FALSE(pool.take());
  EXPECT_TRUE(pool.drain(0ns));
}

// A handler whose clock the test moves.
class PoolInTime : public ::testing::Test {
 protected:
  // Runs `body` as a handler.
  void handle(std::function<void()> body) {
    body_ = std::move(body);
    EXPECT_EQ(talk_.say("x\n"), "done\n");
  }
  int take(Pool<int>& pool) {
    int got = 0;
    handle([&] {
      const Taken<int> taken = pool.take();
      got = taken ? *taken : 0;
    });
    return got;
  }
  void pass(std::chrono::nanoseconds time) { talk_.advance(time); }

  Maker maker_;

 private:
  std::function<void()> body_;
  testing::Conversation talk_{lines(),
                              [this](const Request&) -> Answer {
                                body_();
                                return "done";
                              },
                              {.limits = {.idle_time_max = 0ns, .first_byte_time_max = 0ns}}};
};

TEST_F(PoolInTime, WhatWasIdleIsChecked) {
  bool is_good = true;
  int checks = 0;
  Pool<int> pool({.make = maker_.make(),
                  .check =
                      [&](int&) {
                        ++checks;
                        return is_good;
                      },
                  .check_idle_time = 1s});
  EXPECT_EQ(take(pool), 1);
  EXPECT_EQ(take(pool), 1);
  EXPECT_EQ(checks, 0) << "just used";
  pass(2s);
  EXPECT_EQ(take(pool), 1);
  EXPECT_EQ(checks, 1);
  pass(2s);
  is_good = false;
  EXPECT_EQ(take(pool), 2) << "a new one in its place";
  EXPECT_EQ(pool.stats().unhealthy, 1u);
}

// Given back by a thread that is no handler, and knows only the real clock.
TEST_F(PoolInTime, LivesByTheClockOfItsHandlers) {
  Pool<int> pool({.make = maker_.make(), .idle_time_max = 1min, .age_max = 10min});
  const std::pair<std::chrono::seconds, int> steps[] = {{1h, 1}, {30s, 1}, {61s, 2}};
  for (const auto& [time, number] : steps) {
    pass(time);
    Taken<int> kept;
    handle([&] { kept = pool.take(); });
    EXPECT_EQ(*kept, number);
    kept.give_back();
  }
}

TEST_F(PoolInTime, WhatComesBackIsChecked) {
  Pool<int> pool({.make = maker_.make(), .check_returned = [](int& number) {
                    if (number == 2) throw std::runtime_error("a check may throw");
                    return number != 1;
                  }});
  EXPECT_EQ(take(pool), 1);
  EXPECT_EQ(take(pool), 2);
  EXPECT_EQ(take(pool), 3);
  EXPECT_EQ(take(pool), 3);
  EXPECT_EQ(pool.stats().unhealthy, 2u);
}

TEST_F(PoolInTime, WhatIsIdleForTooLongGoes) {
  Pool<int> pool({.make = maker_.make(), .idle_time_max = 1min, .age_max = 0ns});
  EXPECT_EQ(take(pool), 1);
  pass(59s);
  EXPECT_EQ(take(pool), 1);
  pass(61s);
  EXPECT_EQ(take(pool), 2);
  EXPECT_EQ(pool.stats().expired, 1u);
  EXPECT_EQ(pool.stats().idle, 1u);
}

TEST_F(PoolInTime, WhatIsTooOldGoesWhenItComesBack) {
  Pool<int> pool({.make = maker_.make(), .idle_time_max = 0ns, .age_max = 10min});
  handle([&] {
    const Taken<int> taken = pool.take();
    wait_for(11min);
  });
  EXPECT_EQ(pool.stats().idle, 0u);
  EXPECT_EQ(take(pool), 2);
  pass(8min);
  EXPECT_EQ(take(pool), 2) << "no more than a tenth earlier";
  pass(3min);
  EXPECT_EQ(take(pool), 3);
}

TEST_F(PoolInTime, AfterFailuresItMakesNoneForAWhile) {
  Pool<int> pool({.make = maker_.make(), .back_off_min = 1s, .back_off_max = 4s});
  maker_.fails = true;
  const auto expect_failure = [&](const char* why) {
    handle([&] {
      const Taken<int> none = pool.take();
      ASSERT_FALSE(none);
      EXPECT_EQ(none.refusal().kind(), Answer::Kind::kError);
      EXPECT_EQ(none.problem(), "out of numbers") << why;
    });
  };
  expect_failure("made");
  expect_failure("not even tried");
  EXPECT_EQ(pool.stats().make_failures, 1u);
  for (const std::chrono::milliseconds time : {1s, 2s, 4s, 4s}) {  // doubles, up to its bound
    pass(time / 2 - 1ms);
    expect_failure("within any back-off");
    pass(time / 2 + 2ms);
    const uint64_t failures = pool.stats().make_failures;
    expect_failure("tried");
    EXPECT_EQ(pool.stats().make_failures, failures + 1);
  }
  maker_.fails = false;
  pass(4s);
  EXPECT_EQ(take(pool), 1);
  maker_.fails = true;
  handle([&] { pool.take().throw_away(); });
  expect_failure("a success has reset it");
  pass(1s);
  maker_.fails = false;
  EXPECT_EQ(take(pool), 2);
}

// What is in use may come back; a place may be made when the back-off is over.
TEST_F(PoolInTime, ATakerWaitsForTheEndOfABackOffWhileOthersAreInUse) {
  Pool<int> pool({.make = maker_.make(), .count_max = 2, .back_off_min = 1s, .back_off_max = 1s});
  handle([&] {
    const Taken<int> held = pool.take();
    maker_.fails = true;
    EXPECT_FALSE(pool.take(10s));
    maker_.fails = false;
    const Taken<int> made = pool.take(10s);
    ASSERT_TRUE(made);
    EXPECT_EQ(*made, 2);
  });
  EXPECT_EQ(pool.stats().waited, 1u);
}

TEST_F(PoolInTime, TakesNoLongerThanItsTimeAndMakeHearsOfIt) {
  std::chrono::nanoseconds given{0};
  Pool<int> pool({.make = [&](std::chrono::nanoseconds time) -> Result<int> {
                    given = time;
                    return 1;
                  },
                  .count_max = 1,
                  .wait_time_max = 5s});
  handle([&] {
    const Taken<int> held = pool.take(3s);
    EXPECT_EQ(given, 3s);
    EXPECT_FALSE(pool.take());
    EXPECT_EQ(pool.stats().wait_time, 5s);
  });
}

// Threads that take, hold, throw away and give up at random. For the thread sanitizer, too.
TEST(Pool, ManyThreadsShareFewThings) {
  constexpr int kThreads = 8;
  const int rounds = support::scaled(4'000);
  constexpr size_t kCount = 3;
  std::atomic<int> live{0}, live_max{0};
  struct Thing {
    explicit Thing(std::atomic<int>& live) : counter(&live) { ++*counter; }
    Thing(Thing&& other) noexcept : counter(std::exchange(other.counter, nullptr)) {}
    Thing& operator=(Thing&&) = delete;
    ~Thing() {
      if (counter != nullptr) --*counter;
    }
    std::atomic<int>* counter;
    int used = 0;  // by one at a time: the thread sanitizer looks
  };
  std::atomic<int> makes{0};
  Pool<Thing> pool({.make = [&](std::chrono::nanoseconds) -> Result<Thing> {
                      if (++makes % 7 == 0) return Error{Error::Code::kSystem, "no"};
                      Thing thing(live);
                      if (live > live_max) live_max = live.load();
                      return thing;
                    },
                    .count_max = kCount,
                    .back_off_min = 10us,
                    .back_off_max = 100us});
  std::vector<std::thread> threads;
  std::atomic<int> taken{0};
  for (int i = 0; i < kThreads; ++i) {
    threads.emplace_back([&, i] {
      for (int round = 0; round < rounds; ++round) {
        const int what = (round * 7 + i * 13) % 10;
        Taken<Thing> thing = what == 0   ? pool.try_take()
                             : what == 1 ? pool.take(5us)
                                         : pool.take(1h);
        if (!thing) continue;
        ++taken;
        ++thing->used;
        if (what == 2) thing.throw_away();
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_LE(live_max, static_cast<int>(kCount));
  EXPECT_GT(taken, rounds);
  const PoolStats stats = pool.stats();
  EXPECT_EQ(stats.in_use + stats.making + stats.waiting, 0u);
  EXPECT_EQ(stats.idle, static_cast<uint64_t>(live));
  EXPECT_TRUE(pool.drain(0ns));
  EXPECT_EQ(live, 0);
}

TEST(PoolDeathTest, RefusesOptionsThatCannotWork) {
  EXPECT_DEATH(Pool<int>(Options{}), "make must not be empty");
  Maker maker;
  EXPECT_DEATH(Pool<int>(Options{.make = maker.make(), .count_max = 0}), "count_max");
  EXPECT_DEATH(Pool<int>(Options{.make = maker.make(), .wait_time_max = -1ns}), "is negative");
}

}  // namespace
}  // namespace trireme
