// One simulated world: a machine, a network, a clock and an order of events, all from one seed.
//
// Step: none, test support. Thread: the test's own, which becomes every fiber of the world.
//
//   Machine world(seed);
//   world.run([&] {
//     Server server(world.platform(), ...);           // unmodified, its threads are fibers
//     server.start();
//     auto client = world.spawn("client", [&] {
//       SimClient talk(world);
//       if (talk.connect(7000) == 0) talk.send_all("hello\n");
//     });
//     client.join();
//     world.calm();                                   // second phase: no faults, all must finish
//     server.drain();
//   });
//   EXPECT_EQ(world.kernel().open_count(), 0);
//
// The same seed and the same code give the same trace_hash() with every compiler and optimisation.
// Code in a world must not look at real time, real random numbers or addresses, and must not
// block in the real kernel: everything goes through platform().
#pragma once

#include <cstdint>
#include <cstdio>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "runtime/system/home_numbers.h"
#include "runtime/system/random.h"
#include "runtime/threads/threads.h"
#include "sim/faults.h"
#include "sim/network.h"
#include "sim/scheduler.h"
#include "sim/sim_clock.h"
#include "sim/sim_kernel.h"
#include "sim/sim_threads.h"

namespace trireme { inline namespace v0 { namespace sim {

struct MachineOptions {
  FaultGate* gate = nullptr;     // outlives the machine; null: every fault that is drawn happens
  std::optional<Faults> faults;  // drawn from the seed when left out
  std::optional<Nature> nature;  // likewise
  int descriptors_max = 1'024;   // of the server; EMFILE beyond
  bool has_ipv6 = true;
  int cpus_count = 2;
  bool has_idle_policy = true;  // Threads::run_only_when_idle
  int threads_max = 1'000;
  uint64_t steps_max = 50'000'000;               // beyond: aborts as a livelock
  Duration time_max = std::chrono::minutes(60);  // virtual; beyond: aborts likewise
  bool locks_are_points = false;  // locks of the standard library are scheduling points
  size_t stack_bytes = 0;         // of each fiber; 0: 256 KiB, 1 MiB under a sanitizer
  std::FILE* log = nullptr;       // one line for each seam call
};

class Machine {
 public:
  // A fiber made by spawn(). Waiting for it is optional: run() waits for all.
  class Task {
   public:
    void join();  // any other fiber
    bool done() const;

   private:
    friend class Machine;
    Task(Machine& world, Fiber& fiber) : machine_(&world), fiber_(&fiber) {}
    Machine* machine_;
    Fiber* fiber_;
  };

  explicit Machine(uint64_t seed, const MachineOptions& options = {});
  ~Machine();
  Machine(const Machine&) = delete;
  Machine& operator=(const Machine&) = delete;

  // Before or after, not during another run(). Runs `main` as the main fiber, and all others
  // until each has ended. Aborts with a list of the fibers when they cannot end.
  void run(std::function<void()> main);
  // Any fiber. `name` is for listings only.
  Task spawn(std::string_view name, std::function<void()> body);

  // Any fiber. Lets others run until `condition` holds (looked at every 50 us of virtual time);
  // false when `limit` of virtual time has passed before.
  bool wait_for(const std::function<bool()>& condition, Duration limit);
  // Any fiber.
  void sleep_for(Duration duration);
  // Any fiber. The end of the hostile phase: no errors, squeezes or preemption from now on.
  void calm() { faults_ = faults_.calmed(); }

  const Platform& platform() const { return platform_; }
  uint64_t trace_hash() const { return scheduler_.trace().hash(); }
  TimePoint now() const { return scheduler_.now(); }
  uint64_t seed() const { return seed_; }
  uint64_t steps() const { return scheduler_.steps(); }
  const Faults& faults() const { return faults_; }
  // Any fiber. For what the test itself draws: numbers of clients, sizes, handler times.
  Random& random() { return random_; }

  // Parts, for books and for tests of the simulator.
  SimKernel& kernel() { return kernel_; }
  SimThreads& threads() { return threads_; }
  Scheduler& scheduler() { return scheduler_; }
  Network& network() { return network_; }
  uint32_t count_client() { return ++clients_made_; }

 private:
  struct Seeds;
  Machine(uint64_t seed, const MachineOptions& options, const Seeds& seeds);

  const uint64_t seed_;
  const Nature nature_;
  Faults faults_;
  Random random_;
  Scheduler scheduler_;
  Network network_;
  SimKernel kernel_;
  SimClock clock_;
  SimThreads threads_;
  HomeNumbers home_numbers_;
  const Platform platform_;
  uint32_t clients_made_ = 0;
};

}}}  // namespace trireme::sim
