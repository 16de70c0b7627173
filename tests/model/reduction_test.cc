// Goal: leaving out schedules that make no difference leaves out no result.
// Method: random programs of four threads, with atomics, a mutex and a signal; all results with the
// reduction must be those of every schedule without it.
#include <gtest/gtest.h>

#include <set>
#include <string>
#include <vector>

#include "model/atomic.h"
#include "support/unit_seed.h"

namespace trireme::model { namespace {

constexpr size_t kThreads = 4, kLocations = 2;

struct Step {
  uint32_t what = 0, location = 0, order = 0;
};
using Program = std::vector<std::vector<Step>>;

// A word for each thread says what it has read; the last one, what is left.
using Results = std::set<std::string>;

struct World {
  Atomic<int> locations[kLocations];
  Mutex mutex;
  Signal signal{Signal::Carries::kKnowledge};
};

std::string run_step(World& world, const Step& step, int thread) {
  constexpr std::memory_order kOfLoad[] = {std::memory_order_relaxed, std::memory_order_acquire,
                                           std::memory_order_seq_cst};
  constexpr std::memory_order kOfStore[] = {std::memory_order_relaxed, std::memory_order_release,
                                            std::memory_order_seq_cst};
  Atomic<int>& location = world.locations[step.location];
  int expected = thread;
  switch (step.what) {
    case 0:
    case 1:
      return std::to_string(location.load(kOfLoad[step.order]));
    case 2:
      location.store(thread, kOfStore[step.order]);
      return "";
    case 3:
      return std::to_string(location.fetch_add(8, kOfStore[step.order]));
    case 4: {
      const bool done = location.compare_exchange_strong(expected, 5, kOfStore[step.order],
                                                         std::memory_order_relaxed);
      return std::to_string(expected) + (done ? "y" : "n");
    }
    case 5: {
      Lock lock(world.mutex);
      return std::to_string(location.load(std::memory_order_relaxed));
    }
    case 6: {
      Lock lock(world.mutex);
      location.store(thread + 10, std::memory_order_relaxed);
      return "";
    }
    case 7:
      world.signal.give();
      return "";
    default:
      return world.signal.take_if_given() ? "t" : "f";
  }
}

Results results_of(const Program& program, bool reduces) {
  Results results;
  const Outcome outcome = explore(
      [&](Model& model) {
        World world;
        std::vector<std::string> seen(kThreads);
        for (size_t thread = 0; thread < kThreads; ++thread) {
          model.thread("T", [&, thread] {
            for (const Step& step : program[thread]) {
              seen[thread] += run_step(world, step, static_cast<int>(thread + 1)) + ',';
            }
          });
        }
        model.run();
        std::string result;
        for (const std::string& one : seen) result += one + '|';
        for (Atomic<int>& location : world.locations) {
          result += std::to_string(location.load(std::memory_order_relaxed)) + ',';
        }
        results.insert(result);
      },
      {.reduces = reduces});
  EXPECT_EQ(outcome.failure, "") << outcome.trace;
  EXPECT_TRUE(outcome.complete);
  return results;
}

TEST(ModelReduction, LosesNoResultOfRandomPrograms) {
  Random random = unit::seeded_random();
  const auto below = [&random](uint64_t bound) {
    return static_cast<uint32_t>(random.below(bound));
  };
  for (int round = 0; round < 40; ++round) {
    Program program(kThreads);
    for (auto& thread : program) {
      for (uint32_t steps = 1 + below(2); steps > 0; --steps) {
        thread.push_back({below(9), below(kLocations), below(3)});
      }
    }
    const Results reduced = results_of(program, true), all = results_of(program, false);
    ASSERT_EQ(reduced, all) << "round " << round;
  }
}

}  // namespace
}  // namespace trireme::model
