// The park spot: a permit is not lost, is taken once, and carries what was done before unpark.
#include "model/scenarios.h"
#include "runtime/threads/park_word.h"

namespace trireme::model {
namespace {

// A spot as RealThreads has it, with a kernel that may interrupt a wait, or end it in time.
struct Spot {
  Atomic<uint32_t> word{kParkEmpty};
  Futex futex;
  int interruptions = 1;

  bool park(bool may_time_out) {
    return park_on(word, [&] {
      const uint32_t how = choose(may_time_out ? 3 : 2);
      if (how == 2) return false;
      if (how == 1 && interruptions-- > 0) return true;
      futex.wait(word, kParkSleeping);
      return true;
    });
  }
  void unpark() {
    unpark_from(word, [&] { futex.wake(); });
  }
};

void permit_before_or_after(Model& model) {
  Spot spot;
  Var<int> data{0};
  model.thread("parks", [&] {
    require(spot.park(false), "a permit comes");
    require(data == 1, "what was done before is there");
    data = 2;
  });
  model.thread("unparks", [&] {
    data = 1;
    spot.unpark();
  });
  model.run();
  require(data == 2, "it has gone on");
}

// Looks for the permit, as one that polls does, and parks when there is none.
void look_then_park(Model& model) {
  Spot spot;
  Var<int> data{0};
  model.thread("parks", [&] {
    if (!take_permit(spot.word)) require(spot.park(false), "a permit comes");
    require(data == 1, "what was done before is there");
  });
  model.thread("unparks", [&] {
    data = 1;
    spot.unpark();
  });
  model.run();
  require(spot.word.load(std::memory_order_relaxed) == kParkEmpty, "one permit, taken once");
}

// Two permits may count as one, but none is lost: who parks until it has seen both ends.
void two_permits(Model& model) {
  Spot spot;
  Atomic<int> done{0};
  Var<int> data[2];
  const auto unpark = [&](int i) {
    data[i] = 1;
    done.fetch_add(1, std::memory_order_relaxed);
    spot.unpark();
  };
  model.thread("parks", [&] {
    while (done.load(std::memory_order_relaxed) < 2) spot.park(false);
  });
  model.thread("unparks 0", [&] { unpark(0); });
  model.thread("unparks 1", [&] { unpark(1); });
  model.run();
}

// The time is over while a permit comes: it is taken, or stays.
void permit_at_the_deadline(Model& model) {
  Spot spot;
  Var<int> data{0};
  bool first = false;
  model.thread("parks", [&] {
    first = spot.park(true);
    if (first) require(data == 1, "what was done before is there");
    if (!first) require(spot.park(false), "the permit has stayed");
    require(data == 1, "what was done before is there");
  });
  model.thread("unparks", [&] {
    data = 1;
    spot.unpark();
  });
  model.run();
  require(spot.word.load(std::memory_order_relaxed) == kParkEmpty, "one permit, taken once");
}

}  // namespace

std::vector<NamedScenario> park_scenarios() {
  return {{"a permit before or after", permit_before_or_after},
          {"look for a permit, then park", look_then_park},
          {"two permits", two_permits},
          {"a permit at the deadline", permit_at_the_deadline}};
}

std::vector<NamedScenario> all_scenarios() {
  std::vector<NamedScenario> all;
  for (const auto& some :
       {word_scenarios(), token_scenarios(), mailbox_scenarios(), sleep_scenarios(),
        queue_scenarios(), park_scenarios(), line_scenarios()}) {
    all.insert(all.end(), some.begin(), some.end());
  }
  return all;
}

}  // namespace trireme::model
