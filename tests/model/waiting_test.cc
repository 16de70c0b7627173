// Goal: the model checker finds threads that wait for ever, and only those.
// Method: programs that deadlock, spin in vain or lose a wake-up, and their right twins.
#include <gtest/gtest.h>

#include <string>

#include "model/atomic.h"

namespace trireme::model { namespace {

constexpr auto kRelaxed = std::memory_order_relaxed;

std::string failure_of(const Scenario& scenario) { return explore(scenario).failure; }

TEST(ModelWaiting, ThreadsThatWaitForEverAreADeadlock) {
  const std::string crossed = failure_of([](Model& model) {
    Mutex a, b;
    model.thread("A", [&] {
      Lock first(a);
      Lock second(b);
    });
    model.thread("B", [&] {
      Lock first(b);
      Lock second(a);
    });
    model.run();
  });
  EXPECT_NE(crossed.find("nobody can go on"), std::string::npos);
  const std::string spin = failure_of([](Model& model) {
    Atomic<int> flag{0};
    model.thread("A", [&] {
      while (flag.load(kRelaxed) == 0) relax();
    });
    model.run();
  });
  EXPECT_NE(spin.find("nobody can go on"), std::string::npos);
  const std::string endless = failure_of([](Model& model) {
    Atomic<int> flag{0};
    model.thread("A", [&] {
      while (flag.load(kRelaxed) == 0) {
      }
    });
    model.run();
  });
  EXPECT_NE(endless.find("does not end"), std::string::npos);
}

// To sleep after a look that somebody may have overtaken.
std::string sleeper(bool looks_again, Signal::Carries carries) {
  return failure_of([=](Model& model) {
    Atomic<bool> asleep{false}, work{false};
    Signal signal(carries);
    model.thread("sleeper", [&] {
      if (work.load()) return;
      asleep.store(true);
      if (looks_again && work.load()) return;
      signal.take();
      // What carries no knowledge has woken it, so that it may know of no work yet.
      if (carries == Signal::Carries::kKnowledge) require(work.load(), "it was woken for work");
    });
    model.thread("sender", [&] {
      work.store(true);
      if (asleep.load()) signal.give();
    });
    model.run();
  });
}

TEST(ModelWaiting, ALostWakeUpIsADeadlock) {
  EXPECT_EQ(sleeper(true, Signal::Carries::kKnowledge), "");
  EXPECT_EQ(sleeper(true, Signal::Carries::kNothing), "");
  EXPECT_NE(sleeper(false, Signal::Carries::kKnowledge).find("nobody can go on"),
            std::string::npos);
}

TEST(ModelWaiting, ASignalCarriesKnowledgeOnlyIfItSaysSo) {
  const auto run = [](Signal::Carries carries) {
    return failure_of([=](Model& model) {
      Signal signal(carries);
      Var<int> data{0};
      model.thread("A", [&] {
        data = 1;
        signal.give();
      });
      model.thread("B", [&] {
        signal.take();
        require(data == 1, "the data is there");
      });
      model.run();
    });
  };
  EXPECT_EQ(run(Signal::Carries::kKnowledge), "");
  EXPECT_NE(run(Signal::Carries::kNothing).find("data race"), std::string::npos);
}

}  // namespace
}  // namespace trireme::model
