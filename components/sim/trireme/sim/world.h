// A simulated world: one machine, a network, a clock and an order of events, all from one seed.
//
//   sim::World world(17);
//   world.run([&] {
//     trireme::Server server({.io_workers = 2}, world.platform());  // unmodified
//     server.serve<Member>("tcp://127.0.0.1:0", trireme::lines(), {}, room);
//     world.start(server);
//     world.client("ada", [&](sim::Client& ada) {
//       ada.connect(server.urls()[0]);
//       ada.send("hello\n");
//       ada.expect("hello\n");
//     });
//     world.finish(server);
//   });
//
// The threads of the server and all clients are fibers of the thread that calls run(); they switch
// at system calls and locks, in an order drawn from the seed. The same seed and the same program
// give the same trace_hash(), with every compiler. Time is virtual: it jumps to the next thing that
// happens.
//
// What runs in a world must not look at random numbers of the system or at the order of addresses,
// must not start threads, and must not block in the real kernel. std::mutex, std::shared_mutex,
// std::condition_variable, std::this_thread::sleep_for and the clocks of std::chrono work in
// virtual time.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "trireme/server.h"
#include "trireme/sim/client.h"
#include "trireme/sim/faults.h"
#include "trireme/sim/where.h"

namespace trireme { inline namespace v0 { namespace sim {

class Director;

struct WorldOptions {
  std::optional<Faults> faults{};  // left out: Faults::drawn of the seed
  int descriptors_max = 1'024;     // of the server; EMFILE beyond
  bool has_ipv6 = true;
  int cpus_count = 2;
  // Beyond these the run fails as a livelock.
  uint64_t steps_max = 50'000'000;
  std::chrono::nanoseconds time_max = std::chrono::minutes(60);  // virtual
  size_t stack_bytes = 0;    // of each fiber; 0: 256 KiB, 1 MiB under a sanitizer
  std::FILE* log = nullptr;  // one line for each system call
};

class World {
 public:
  // Any thread. A world by itself ends the process when its run fails; explore() catches that.
  explicit World(uint64_t seed, const WorldOptions& options = {});
  ~World();
  World(const World&) = delete;
  World& operator=(const World&) = delete;

  // Any thread, no fiber. Once. Runs `main` as the main fiber and all others until each has ended.
  void run(const std::function<void()>& main);

  // Any thread. For the second argument of Server's constructor.
  const Platform& platform() const;

  // Main fiber. Starts `server`; its error ends the run.
  void start(Server& server, Where where = Where::here());
  // Main fiber. The end in good order: waits for the clients, stops the faults, drains. A
  // handler that is stuck, or books that do not balance, end the run.
  void finish(Server& server, Where where = Where::here());

  // Any fiber. A client that runs from now on, beside all others. `name` is for reports. Returns
  // its number, from 1, also when the plan leaves the client out.
  uint32_t client(std::string name, std::function<void(Client&)> function);
  // Any fiber. Waits until the function of every client has ended.
  void wait_for_clients();
  // Any fiber. Any other fiber: a thread of the user's program, a back end.
  void spawn(std::string_view name, std::function<void()> function);

  // Any fiber. Ends the run, with `sentence`, unless `condition` holds.
  void check(bool condition, std::string_view sentence, Where where = Where::here());
  // Any fiber. Ends the run.
  [[noreturn]] void fail(std::string_view sentence, Where where = Where::here());

  // Any fiber. Makes a file that the server can read, or gives it other bytes; who has it open sees
  // these.
  void put_file(const std::string& path, std::string bytes);
  // Any fiber. Blocks for this long, as a handler may.
  void sleep_for(std::chrono::nanoseconds time);
  // Any fiber. Blocks until `condition` holds, which is looked at every 50 us; false when `limit`
  // has passed before.
  bool wait_until(const std::function<bool()>& condition, std::chrono::nanoseconds limit);
  // Any fiber. No errors, preemption, resets or stalls from now on. Delays go on.
  void calm();

  // Any fiber. Virtual time since the world began.
  std::chrono::nanoseconds now() const;
  // Any fiber. A number in [0, bound) from the seed.
  uint64_t below(uint64_t bound);

  // Any thread. How often a fault has happened.
  uint64_t happened(FaultKind kind) const;
  // Any thread. Clients whose connection a fault has reset.
  uint64_t lost_clients() const;
  // Any thread. Descriptors that the server has open, and its living threads.
  int open_descriptors() const;
  int living_threads() const;

  // Any thread.
  uint64_t seed() const;
  const Faults& faults() const;
  // Any thread. All system calls with their results, bytes and times, in 64 bits.
  uint64_t trace_hash() const;
  uint64_t steps() const;

 private:
  friend class Client;
  friend class Explorer;
  World(uint64_t seed, const WorldOptions& options, Director& director);
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}}}  // namespace trireme::sim
