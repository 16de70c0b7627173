// Goal: the model checker sees what the memory model of C++ allows, and nothing else; it finds
// races, lost wake-ups and endless runs, and raises no false alarm.
// Method: litmus tests. Each small program is run in all ways, and the set of its results must be
// exactly the one that is known. Programs that are wrong must fail, and their right twins must not.
#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <set>
#include <string>

#include "model/atomic.h"

namespace trireme::model { namespace {

constexpr auto kRelaxed = std::memory_order_relaxed;
constexpr auto kAcquire = std::memory_order_acquire;
constexpr auto kRelease = std::memory_order_release;
constexpr auto kSeqCst = std::memory_order_seq_cst;

using Results = std::set<std::string>;

// What `scenario` writes into its string, over all runs. It must not fail.
Results results_of(const std::function<void(Model&, std::string&)>& scenario) {
  Results results;
  const Outcome outcome = explore([&](Model& model) {
    std::string result;
    scenario(model, result);
    results.insert(result);
  });
  EXPECT_EQ(outcome.failure, "") << outcome.trace;
  EXPECT_TRUE(outcome.complete);
  return results;
}

std::string failure_of(const Scenario& scenario) { return explore(scenario).failure; }

std::string both(int a, int b) { return std::to_string(a) + std::to_string(b); }

Results store_buffering(std::memory_order write, std::memory_order read) {
  return results_of([=](Model& model, std::string& result) {
    Atomic<int> x{0}, y{0};
    int a = 0, b = 0;
    model.thread("A", [&] {
      x.store(1, write);
      a = y.load(read);
    });
    model.thread("B", [&] {
      y.store(1, write);
      b = x.load(read);
    });
    model.run();
    result = both(a, b);
  });
}

TEST(ModelChecker, StoreBufferingIsSeenBelowSeqCst) {
  EXPECT_EQ(store_buffering(kSeqCst, kSeqCst), (Results{"01", "10", "11"}));
  EXPECT_EQ(store_buffering(kRelease, kAcquire), (Results{"00", "01", "10", "11"}));
  EXPECT_EQ(store_buffering(kSeqCst, kAcquire), (Results{"00", "01", "10", "11"}));
  EXPECT_EQ(store_buffering(kRelease, kSeqCst), (Results{"00", "01", "10", "11"}));
}

// A thread that writes and looks, and one that modifies both: the look may come before the write,
// unless both are seq_cst. The one order of seq_cst operations is not that of execution.
TEST(ModelChecker, ALookOvertakesAWeakerWrite) {
  const auto run = [](std::memory_order write) {
    return results_of([=](Model& model, std::string& result) {
      Atomic<int> x{0}, y{0};
      int a = 0, b = 0;
      model.thread("A", [&] {
        x.store(1, write);
        a = y.load(kSeqCst);
      });
      model.thread("B", [&] {
        y.fetch_add(1, kSeqCst);
        b = x.exchange(0, kSeqCst);
      });
      model.run();
      result = both(a, b);
    });
  };
  EXPECT_EQ(run(kSeqCst), (Results{"01", "10", "11"}));
  EXPECT_EQ(run(kRelease), (Results{"00", "01", "10", "11"}));
}

Results message_passing(std::memory_order write, std::memory_order read) {
  return results_of([=](Model& model, std::string& result) {
    Atomic<int> data{0}, flag{0};
    int a = 0, b = 0;
    model.thread("A", [&] {
      data.store(1, kRelaxed);
      flag.store(1, write);
    });
    model.thread("B", [&] {
      a = flag.load(read);
      b = data.load(kRelaxed);
    });
    model.run();
    result = both(a, b);
  });
}

TEST(ModelChecker, AMessagePassesByReleaseAndAcquireOnly) {
  EXPECT_EQ(message_passing(kRelease, kAcquire), (Results{"00", "01", "11"}));
  EXPECT_EQ(message_passing(kRelaxed, kAcquire), (Results{"00", "01", "10", "11"}));
  EXPECT_EQ(message_passing(kRelease, kRelaxed), (Results{"00", "01", "10", "11"}));
}

// Two readers that see two independent writes in different orders.
bool readers_disagree(std::memory_order write, std::memory_order read) {
  const Results results = results_of([=](Model& model, std::string& result) {
    Atomic<int> x{0}, y{0};
    int a = 0, b = 0, c = 0, d = 0;
    model.thread("X", [&] { x.store(1, write); });
    model.thread("Y", [&] { y.store(1, write); });
    model.thread("A", [&] {
      a = x.load(read);
      b = y.load(read);
    });
    model.thread("B", [&] {
      c = y.load(read);
      d = x.load(read);
    });
    model.run();
    result = both(a, b) + both(c, d);
  });
  EXPECT_EQ(results.size(), results.contains("1010") ? 16u : 15u)
      << testing::PrintToString(results);
  return results.contains("1010");
}

TEST(ModelChecker, IndependentWritesHaveOneOrderUnderSeqCstOnly) {
  EXPECT_TRUE(readers_disagree(kRelease, kAcquire));
  EXPECT_FALSE(readers_disagree(kSeqCst, kSeqCst));
}

TEST(ModelChecker, LoadBufferingIsOutOfItsReach) {
  // C++ allows 11 for relaxed ones. Documented in model.h: loads do not read what comes later.
  const Results results = results_of([](Model& model, std::string& result) {
    Atomic<int> x{0}, y{0};
    int a = 0, b = 0;
    model.thread("A", [&] {
      a = x.load(kRelaxed);
      y.store(1, kRelaxed);
    });
    model.thread("B", [&] {
      b = y.load(kRelaxed);
      x.store(1, kRelaxed);
    });
    model.run();
    result = both(a, b);
  });
  EXPECT_EQ(results, (Results{"00", "01", "10"}));
}

TEST(ModelChecker, ReadsOfOneLocationNeverGoBack) {
  const Results results = results_of([](Model& model, std::string& result) {
    Atomic<int> x{0};
    int a = 0, b = 0;
    model.thread("A", [&] {
      x.store(1, kRelaxed);
      x.store(2, kRelaxed);
    });
    model.thread("B", [&] {
      a = x.load(kRelaxed);
      b = x.load(kRelaxed);
    });
    model.run();
    result = both(a, b);
  });
  EXPECT_EQ(results, (Results{"00", "01", "02", "11", "12", "22"}));
}

Results increments(bool in_one_step) {
  return results_of([=](Model& model, std::string& result) {
    Atomic<int> x{0};
    const auto add = [&] {
      if (in_one_step) {
        x.fetch_add(1, kRelaxed);
      } else {
        x.store(x.load(kSeqCst) + 1, kSeqCst);
      }
    };
    model.thread("A", add);
    model.thread("B", add);
    model.thread("C", add);
    model.run();
    result = std::to_string(x.load(kRelaxed));
  });
}

TEST(ModelChecker, AnUpdateInTwoStepsIsLost) {
  EXPECT_EQ(increments(true), (Results{"3"}));
  EXPECT_EQ(increments(false), (Results{"1", "2", "3"}));
}

// A release sequence: the middle thread modifies the flag, or writes it anew.
std::string through_a_middle_thread(bool modifies) {
  return failure_of([=](Model& model) {
    Atomic<int> flag{0};
    Var<int> data{0};
    model.thread("A", [&] {
      data = 1;
      flag.store(1, kRelease);
    });
    model.thread("B", [&] {
      if (flag.load(kRelaxed) != 1) return;
      if (modifies) {
        flag.fetch_add(1, kRelaxed);
      } else {
        flag.store(2, kRelaxed);
      }
    });
    model.thread("C", [&] {
      if (flag.load(kAcquire) == 2) require(data == 1, "the data is there");
    });
    model.run();
  });
}

TEST(ModelChecker, OnlyModificationsGoOnWithARelease) {
  EXPECT_EQ(through_a_middle_thread(true), "");
  EXPECT_NE(through_a_middle_thread(false).find("data race"), std::string::npos);
}

// Peterson's mutual exclusion for two.
std::string peterson(std::memory_order write, std::memory_order read) {
  return failure_of([=](Model& model) {
    Atomic<bool> wants[2];
    Atomic<int> turn{0};
    Var<int> counter{0};
    const auto enter = [&](int me) {
      wants[me].store(true, write);
      turn.store(1 - me, write);
      while (wants[1 - me].load(read) && turn.load(read) == 1 - me) relax();
      counter = counter + 1;
      wants[me].store(false, write == kSeqCst ? kSeqCst : kRelease);
    };
    model.thread("A", [&] { enter(0); });
    model.thread("B", [&] { enter(1); });
    model.run();
    require(counter == 2, "both were inside");
  });
}

TEST(ModelChecker, PetersonNeedsSeqCst) {
  EXPECT_EQ(peterson(kSeqCst, kSeqCst), "");
  EXPECT_NE(peterson(kRelease, kAcquire).find("data race"), std::string::npos);
}

TEST(ModelChecker, MutexesOrderWhatTheyGuard) {
  const auto run = [](bool locks) {
    return failure_of([=](Model& model) {
      Mutex mutex;
      Var<int> data{0};
      const auto add = [&] {
        if (!locks) {
          data = data + 1;
          return;
        }
        Lock lock(mutex);
        data = data + 1;
      };
      for (const char* name : {"A", "B", "C"}) model.thread(name, add);
      model.run();
      require(data == 3, "each has added");
    });
  };
  EXPECT_EQ(run(true), "");
  EXPECT_NE(run(false).find("data race"), std::string::npos);
}

TEST(ModelChecker, AStrongSwapFailsForAReasonAWeakOneWithout) {
  const auto run = [](bool weak) {
    return results_of([=](Model& model, std::string& result) {
      Atomic<int> x{0};
      model.thread("A", [&] {
        int zero = 0;
        const bool done = weak ? x.compare_exchange_weak(zero, 1, kRelaxed, kRelaxed)
                               : x.compare_exchange_strong(zero, 1, kRelaxed, kRelaxed);
        result = done ? "done" : "failed";
      });
      model.run();
    });
  };
  EXPECT_EQ(run(false), (Results{"done"}));
  EXPECT_EQ(run(true), (Results{"done", "failed"}));
}

TEST(ModelChecker, MemoryThatIsDestroyedTooEarlyIsARace) {
  const std::string failure = failure_of([](Model& model) {
    auto data = std::make_unique<Var<int>>(1);
    Var<int>* seen = data.get();
    Atomic<bool> read{false};
    model.thread("A", [&] {
      require(*seen == 1, "alive");
      read.store(true, kRelaxed);
    });
    model.thread("B", [&] {
      while (!read.load(kRelaxed)) relax();
      data.reset();
      read.store(false, kRelaxed);
    });
    model.run();
  });
  EXPECT_NE(failure.find("destroyed"), std::string::npos);
}

TEST(ModelChecker, IndependentThreadsNeedOneRun) {
  const Outcome outcome = explore([](Model& model) {
    Atomic<int> own[4];
    for (int i = 0; i < 4; ++i) {
      model.thread("own", [&own, i] {
        for (int round = 0; round < 4; ++round) own[i].fetch_add(1, kRelaxed);
      });
    }
    model.run();
  });
  EXPECT_EQ(outcome.runs, 1u);
}

// Without reduction, all orders of 3 threads with 3 writes to one location each: 9!/(3!)^3.
TEST(ModelChecker, EveryOrderOfDependentWritesIsTried) {
  std::set<std::string> orders;
  const Outcome outcome = explore([&](Model& model) {
    Atomic<int> shared{0};
    std::string order;
    for (const char* name : {"A", "B", "C"}) {
      model.thread(name, [&shared, &order, name] {
        for (int round = 0; round < 3; ++round) {
          shared.fetch_add(1, kRelaxed);
          order += name;
        }
      });
    }
    model.run();
    orders.insert(order);
  });
  EXPECT_EQ(orders.size(), 1680u);
  EXPECT_EQ(outcome.runs - outcome.pruned, 1680u);
}

TEST(ModelChecker, AFailureComesWithTheScheduleThatLedThere) {
  const Scenario scenario = [](Model& model) {
    Atomic<int> flag{0};
    model.thread("writer", [&] { flag.store(1, kRelaxed); });
    model.thread("reader", [&] { require(flag.load(kRelaxed) == 0, "the flag is down"); });
    model.run();
  };
  const Outcome first = explore(scenario), second = explore(scenario);
  EXPECT_NE(first.failure.find("the flag is down"), std::string::npos);
  EXPECT_NE(first.trace.find("writer: checker_test.cc"), std::string::npos) << first.trace;
  EXPECT_NE(first.trace.find("reader: checker_test.cc"), std::string::npos) << first.trace;
  EXPECT_EQ(first.trace, second.trace);
}

}  // namespace
}  // namespace trireme::model
