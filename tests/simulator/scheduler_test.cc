// Goal: fibers behave as threads: exceptions, thread-local slot, parking, sleeping, joining; and
// worlds that cannot go on say why. Method: small worlds over many seeds; death tests.
#include <gtest/gtest.h>

#include <atomic>
#include <stdexcept>
#include <string>
#include <vector>

#include "sim/machine.h"

namespace trireme { inline namespace v0 { namespace sim { namespace {

using std::chrono::milliseconds;

MachineOptions calm_options() {
  MachineOptions options;
  options.faults = Faults{};
  return options;
}

// Throws through several frames with destructors that reach scheduling points.
struct RelaxInDestructor {
  explicit RelaxInDestructor(Threads& used) : threads(used) {}
  ~RelaxInDestructor() { threads.relax(); }
  Threads& threads;
};

int throw_deep(Threads& threads, int depth) {
  RelaxInDestructor guard(threads);
  if (depth == 0) throw std::runtime_error("deep");
  return throw_deep(threads, depth - 1) + 1;
}

void catch_many(Threads& threads, int number, int& caught) {
  for (int round = 0; round < 5; ++round) {
    try {
      throw_deep(threads, 4);
    } catch (const std::runtime_error& error) {
      ASSERT_EQ(std::uncaught_exceptions(), 0);
      threads.relax();  // the others throw and catch meanwhile
      try {
        throw number;
      } catch (int value) {
        threads.relax();
        ASSERT_EQ(value, number);
      }
      ASSERT_STREQ(error.what(), "deep");
      try {
        threads.relax();
        throw;  // must be this fiber's, not the one that was caught last
      } catch (const std::exception& again) {
        ASSERT_EQ(&again, &error);
        ++caught;
      }
    }
    ASSERT_EQ(std::current_exception(), nullptr);
  }
}

TEST(Fibers, ExceptionsStayWithTheirFiber) {
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    Machine world(seed);
    Threads& threads = world.platform().threads;
    int caught = 0;
    world.run([&] {
      for (int i = 0; i < 6; ++i) {
        world.spawn("thrower", [&, i] { catch_many(threads, i, caught); });
      }
    });
    EXPECT_EQ(caught, 30) << "seed " << seed;
  }
}

TEST(Fibers, ThreadSlotIsPerFiber) {
  Machine world(3);
  int outer = 0;
  thread_slot = &outer;
  world.run([&] {
    EXPECT_EQ(thread_slot, nullptr);
    for (int i = 0; i < 4; ++i) {
      world.spawn("slot", [&] {
        int own = 0;
        EXPECT_EQ(thread_slot, nullptr);
        thread_slot = &own;
        for (int round = 0; round < 10; ++round) {
          world.platform().threads.relax();
          EXPECT_EQ(thread_slot, &own);
        }
        thread_slot = nullptr;
      });
    }
  });
  EXPECT_EQ(thread_slot, &outer);
  thread_slot = nullptr;
}

TEST(Fibers, SleepingCostsNoRealTimeAndKeepsOrder) {
  Machine world(5, calm_options());
  Threads& threads = world.platform().threads;
  std::string order;
  world.run([&] {
    const TimePoint start = world.platform().clock.now();
    for (int hours = 3; hours >= 1; --hours) {
      world.spawn("sleeper", [&, start, hours] {
        threads.sleep_until(start + std::chrono::minutes(hours * 10));
        EXPECT_GE(world.platform().clock.now(), start + std::chrono::minutes(hours * 10));
        order += std::to_string(hours);
      });
    }
  });
  EXPECT_EQ(order, "123");
}

TEST(Fibers, ParkKeepsOnePermit) {
  Machine world(7, calm_options());
  Threads& threads = world.platform().threads;
  world.run([&] {
    ParkSpot spot;
    threads.unpark(spot);
    threads.unpark(spot);
    EXPECT_TRUE(threads.park(spot, kNever));
    EXPECT_FALSE(threads.park(spot, world.now() + milliseconds(1)));
    EXPECT_FALSE(threads.park(spot, world.now() - milliseconds(1)));
    world.spawn("waker", [&] {
      threads.sleep_until(world.now() + milliseconds(2));
      threads.unpark(spot);
    });
    const TimePoint before = world.now();
    EXPECT_TRUE(threads.park(spot, before + milliseconds(50)));
    EXPECT_LT(world.now(), before + milliseconds(50));
    EXPECT_EQ(spot.state.load(), 0U);
  });
}

TEST(Fibers, ParkAndUnparkLoseNothing) {
  for (uint64_t seed = 1; seed <= 200; ++seed) {
    Machine world(seed);
    Threads& threads = world.platform().threads;
    world.run([&] {
      ParkSpot ping;
      ParkSpot pong;
      auto other = world.spawn("other", [&] {
        for (int i = 0; i < 20; ++i) {
          ASSERT_TRUE(threads.park(ping, kNever));
          threads.unpark(pong);
        }
      });
      for (int i = 0; i < 20; ++i) {
        threads.unpark(ping);
        ASSERT_TRUE(threads.park(pong, kNever));
      }
      other.join();
    });
  }
}

// Two threads that read, give way and write lose updates in some seeds, or nothing is explored.
TEST(Fibers, SeedsExploreInterleavings) {
  int lost = 0;
  for (uint64_t seed = 1; seed <= 50; ++seed) {
    Machine world(seed);
    int count = 0;
    world.run([&] {
      for (int fiber = 0; fiber < 2; ++fiber) {
        world.spawn("adder", [&] {
          for (int i = 0; i < 5; ++i) {
            const int read = count;
            world.platform().threads.set_name("adder");
            count = read + 1;
          }
        });
      }
    });
    if (count != 10) ++lost;
  }
  EXPECT_GT(lost, 5);
  EXPECT_LT(lost, 50);
}

TEST(Fibers, SpinningLetsTimersExpire) {
  Machine world(11, calm_options());
  Threads& threads = world.platform().threads;
  world.run([&] {
    std::atomic<bool> ticked{false};
    world.spawn("ticker", [&] {
      threads.sleep_until(world.now() + milliseconds(1));
      ticked = true;
    });
    while (!ticked) threads.relax();
  });
  EXPECT_LT(world.steps(), 20'000U);
}

TEST(SimThreads, StartJoinAndRefusal) {
  MachineOptions options = calm_options();
  options.threads_max = 2;
  Machine world(13, options);
  Threads& threads = world.platform().threads;
  world.run([&] {
    int error = 0;
    int ran = 0;
    auto first = threads.start(
        "first", [&] { ++ran; }, error);
    auto second = threads.start(
        "second", [&] { ++ran; }, error);
    ASSERT_NE(second, nullptr);
    if (world.threads().living_count() == 2) {
      EXPECT_EQ(threads.start(
                    "third", [] {}, error),
                nullptr);
      EXPECT_EQ(error, EAGAIN);
    }
    first->join();
    second->join();
    EXPECT_EQ(ran, 2);
    EXPECT_EQ(world.threads().living_count(), 0);
  });
}

TEST(SimThreads, DetachedThreadMayNeverReturn) {
  Machine world(17, calm_options());
  Threads& threads = world.platform().threads;
  world.run([&] {
    int error = 0;
    static ParkSpot for_ever;
    threads
        .start(
            "stuck", [&] { threads.park(for_ever, kNever); }, error)
        ->detach();
    threads.sleep_until(world.now() + milliseconds(1));
  });
  EXPECT_EQ(world.threads().living_count(), 1);
}

TEST(World, WaitForLooksAtVirtualTime) {
  Machine world(19, calm_options());
  world.run([&] {
    bool done = false;
    world.spawn("worker", [&] {
      world.sleep_for(milliseconds(30));
      done = true;
    });
    EXPECT_FALSE(world.wait_for([&] { return done; }, milliseconds(10)));
    EXPECT_TRUE(world.wait_for([&] { return done; }, milliseconds(100)));
  });
}

TEST(WorldDeathTest, DeadlockListsEveryFiber) {
  EXPECT_DEATH(
      {
        Machine world(1, calm_options());
        world.run([&] {
          static ParkSpot spot;
          auto stuck =
              world.spawn("stuck one", [&] { world.platform().threads.park(spot, kNever); });
          stuck.join();
        });
      },
      "deadlock: no fiber can run.*\n.*\n.*'main' waits for join of fiber.2.*\n"
      ".*'stuck one' waits for park");
}

TEST(WorldDeathTest, StepLimitListsEveryFiber) {
  EXPECT_DEATH(
      {
        MachineOptions options = calm_options();
        options.steps_max = 1'000;
        Machine world(1, options);
        world.run([&] {
          for (;;) world.platform().threads.relax();
        });
      },
      "limit of 1000 steps is over: livelock.*\n.*\n.*'main' runs");
}

TEST(WorldDeathTest, TimeLimit) {
  EXPECT_DEATH(
      {
        MachineOptions options = calm_options();
        options.time_max = milliseconds(100);
        Machine world(1, options);
        world.run([&] { world.sleep_for(std::chrono::hours(1)); });
      },
      "limit of virtual time is over");
}

TEST(WorldDeathTest, EscapedExceptionAndForgottenJoin) {
  EXPECT_DEATH(
      {
        Machine world(1, calm_options());
        world.run([] { throw std::runtime_error("boom"); });
      },
      "an exception left fiber 'main': boom");
  EXPECT_DEATH(
      {
        Machine world(1, calm_options());
        world.run([&] {
          int error = 0;
          world.platform().threads.start(
              "lost", [] {}, error);
        });
      },
      "'lost' was destroyed before it was joined");
}

}  // namespace
}}}  // namespace trireme::sim
