// A stateless model checker: runs a scenario under every schedule and every value that the memory
// model lets its loads read, and says which run went wrong.
//
// Test support. Thread: one thread of the operating system; the threads of a scenario are fibers.
//
// 1. Each operation on an atomic, a mutex or a signal is a point where another thread may go on.
//    Plain data (Var) is none: whatever the schedule, the clocks tell if two accesses race.
// 2. Depth first, by running the scenario anew with the choices of the last run but one. Schedules
//    that differ only in the order of independent operations are one: dynamic partial-order
//    reduction by source sets, with sleep sets.
// 3. A failure is: require() of something false, a data race, threads that wait for ever (deadlock,
//    lost wake-up), a run that does not end.
// 4. What this memory model leaves out: a load never reads a store that is executed later (load
//    buffering), and stores of one location are ordered as executed (2+2W). Fences are not there,
//    for the code has none.
//
// A scenario is a function of a Model:
//
//   void passes_a_message(Model& model) {
//     Atomic<int> flag{0};
//     Var<int> data{0};
//     model.thread("sender", [&] { data = 1; flag.store(1, std::memory_order_release); });
//     model.thread("receiver", [&] {
//       if (flag.load(std::memory_order_acquire) == 1) require(data == 1, "the data is there");
//     });
//     model.run();
//   }
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "model/memory.h"
#include "model/mutation.h"

namespace trireme::model {

class Explorer;

// Thrown through the threads of a run that is given up. Scenarios let it pass.
struct GivenUp {};

class Model {
 public:
  virtual ~Model() = default;
  // Before run(). At most kThreadsMax - 1. `name` outlives the run.
  virtual void thread(const char* name, std::function<void()> body) = 0;
  // Returns when all threads have ended.
  virtual void run() = 0;
  // How large a scenario may be: 0 in every test run, more for the deep lane.
  virtual int depth() const = 0;
};

using Scenario = std::function<void(Model&)>;

struct Outcome {
  std::string failure;  // empty: none
  std::string trace;    // of the failure: one line an operation
  uint64_t runs = 0;
  uint64_t pruned = 0;  // of the runs: given up, since another run is equivalent
  uint64_t operations = 0;
  bool complete = true;           // false: runs_max was reached
  std::vector<AtomicSite> sites;  // of src, that were executed
};

struct Options {
  int depth = 0;
  uint64_t runs_max = 20'000'000;
  const Mutation* mutation = nullptr;
  bool reduces = true;  // false: every schedule, also those that make no difference
};

// Runs until all is explored or the first failure.
Outcome explore(const Scenario& scenario, const Options& options = {});

// In a scenario. False: the run has failed, and `claim` says what does not hold.
void require(bool holds, const char* claim, Site site = Site::here());

// In a thread. One of `count` values, each in some run: what the outside world decides.
uint32_t choose(uint32_t count, Site site = Site::here());

// In a thread. A round of a spin: returns when a value has changed that it has read since the last
// one. What nobody changes any more is waited for in vain: a failure.
void relax(Site site = Site::here());

}  // namespace trireme::model
