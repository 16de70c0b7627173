// Goal: locks, condition variables, sleeps and clocks of the standard library wait in virtual time
// inside of a world, and are what they were outside. Method: fibers that would stop the only thread
// for ever, or for an hour, if they waited in the real kernel.
#include <gtest/gtest.h>

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <shared_mutex>
#include <string>
#include <thread>

#include "served.h"

namespace sim_api { namespace {

using namespace std::chrono_literals;

sim::WorldOptions calm() { return {.faults = sim::Faults()}; }

TEST(SimStandardWaits, AMutexIsHeldWhileItsOwnerSleeps) {
  sim::World world(1, calm());
  std::mutex mutex;
  int inside = 0, most = 0;
  world.run([&] {
    for (int i = 0; i < 5; ++i) {
      world.spawn("owner", [&] {
        const std::lock_guard lock(mutex);
        most = std::max(most, ++inside);
        world.sleep_for(10ms);  // why: virtual time
        --inside;
      });
    }
  });
  EXPECT_EQ(most, 1);
  EXPECT_GE(world.now(), 50ms);
}

TEST(SimStandardWaits, ASharedMutexHasManyReadersOrOneWriter) {
  sim::World world(2, calm());
  std::shared_mutex mutex;
  int readers = 0, most_readers = 0, writers = 0;
  world.run([&] {
    for (int i = 0; i < 6; ++i) {
      world.spawn("user", [&, i] {
        if (i % 3 == 0) {
          const std::unique_lock lock(mutex);
          EXPECT_EQ(readers, 0);
          EXPECT_EQ(++writers, 1);
          world.sleep_for(1ms);  // why: virtual time
          --writers;
        } else {
          const std::shared_lock lock(mutex);
          EXPECT_EQ(writers, 0);
          most_readers = std::max(most_readers, ++readers);
          world.sleep_for(1ms);  // why: virtual time
          --readers;
        }
      });
    }
  });
  EXPECT_GT(most_readers, 1);
}

TEST(SimStandardWaits, AConditionIsWaitedForAndItsTimeIsVirtual) {
  sim::World world(3, calm());
  std::mutex mutex;
  std::condition_variable changed;
  int value = 0;
  world.run([&] {
    world.spawn("waits", [&] {
      std::unique_lock lock(mutex);
      changed.wait(lock, [&] { return value == 1; });
      value = 2;
      changed.notify_one();
    });
    world.spawn("waits for an hour at most", [&] {
      std::unique_lock lock(mutex);
      EXPECT_FALSE(changed.wait_for(lock, 1h / 2, [&] { return value == 3; }));
      EXPECT_GE(world.now(), 1h / 2);
      const auto until = std::chrono::system_clock::now() + 1min;
      EXPECT_FALSE(changed.wait_until(lock, until, [&] { return value == 3; }));
      EXPECT_GE(world.now(), 1h / 2 + 1min);
    });
    world.sleep_for(1ms);  // why: virtual time
    std::unique_lock lock(mutex);
    value = 1;
    changed.notify_all();
    changed.wait(lock, [&] { return value == 2; });
    EXPECT_LE(world.now(), 2ms);
  });
}

TEST(SimStandardWaits, SleepsAndClocksAreVirtual) {
  sim::World world(4, calm());
  const auto real = std::chrono::steady_clock::now();
  world.run([&] {
    const auto steady = std::chrono::steady_clock::now();
    const auto wall = std::chrono::system_clock::now();
    std::this_thread::sleep_for(50min);  // why: virtual time
    EXPECT_GE(world.now(), 50min);
    EXPECT_GE(std::chrono::steady_clock::now() - steady, 50min);
    EXPECT_GE(std::chrono::system_clock::now() - wall, 50min);
  });
  EXPECT_LT(std::chrono::steady_clock::now() - real, 50min);
}

// A handler that blocks by the means of the standard library holds its thread and no other one.
TEST(SimStandardWaits, AServerWhoseHandlersLockAndSleepGoesOn) {
  sim::World world(5, calm());
  world.run([&] {
    std::mutex mutex;
    tr::Server server(quiet(), world.platform());
    server.listen("tcp://127.0.0.1:0", tr::lines(), [&](const tr::Request& request) -> tr::Answer {
      if (request.text() == "quick") return request.own();
      const std::lock_guard lock(mutex);
      std::this_thread::sleep_for(1s);  // why: virtual time
      return request.own();
    });
    world.start(server);
    for (int i = 0; i < 3; ++i) {
      world.client("slow", sim::Script().connect(server.urls()[0]).send("s\n").expect("s\n"));
    }
    world.client("quick", [&](sim::Client& quick) {
      quick.pause(10ms);
      quick.connect(server.urls()[0]);
      const auto before = world.now();
      quick.send("quick\n");
      quick.expect("quick\n");
      EXPECT_LT(world.now() - before, 500ms);
    });
    world.wait_for_clients();
    EXPECT_GE(world.now(), 3s);
    world.finish(server);
  });
}

TEST(SimStandardWaits, OutsideOfWorldsNothingHasChanged) {
  std::mutex mutex;
  std::condition_variable changed;
  bool set = false;
  std::thread setter([&] {
    const std::lock_guard lock(mutex);
    set = true;
    changed.notify_one();
  });
  std::unique_lock lock(mutex);
  changed.wait(lock, [&] { return set; });
  EXPECT_FALSE(changed.wait_for(lock, 1ms, [&] { return !set; }));
  lock.unlock();
  setter.join();
}

TEST(SimStandardWaits, TwoWhoWaitForEachOthersMutexAreADeadlock) {
  const sim::Verdict verdict = run_once([](sim::World& world) {
    std::mutex first, second;
    world.spawn("other", [&] {
      const std::lock_guard lock(second);
      world.sleep_for(1ms);  // why: virtual time
      const std::lock_guard too(first);
    });
    const std::lock_guard lock(first);
    world.sleep_for(1ms);  // why: virtual time
    const std::lock_guard too(second);
  });
  EXPECT_FALSE(verdict);
  EXPECT_NE(verdict.sentence.find("simulator: deadlock"), std::string::npos) << verdict.sentence;
  EXPECT_NE(verdict.report.find("waits for std::mutex"), std::string::npos) << verdict.report;
}

}  // namespace
}  // namespace sim_api
