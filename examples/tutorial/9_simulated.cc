// Step 9, second half: the same server in 100 simulated worlds, with faults of the network and of
// the system. Needs the component sim.
//
//   tutorial_9_simulated        status 0 if no world found a defect
#include <chrono>
#include <mutex>
#include <set>
#include <string>

#include "trireme/sim/explore.h"
#include "trireme/trireme.h"

namespace tr = trireme;
namespace sim = trireme::sim;
using namespace std::chrono_literals;

// What is tested: every client that says "next" gets a number that nobody else gets.
class Numbers {
 public:
  tr::Answer next() {
    const std::lock_guard lock(mutex_);
    return std::to_string(++last_);
  }

 private:
  std::mutex mutex_;
  int last_ = 0;
};

void three_clients(sim::World& world) {
  Numbers numbers;
  tr::Server server({.io_workers = 2}, world.platform());
  server.listen("tcp://127.0.0.1:0", tr::lines(), [&numbers](const tr::Request&) {
    tr::wait_for(1ms);
    return numbers.next();
  });
  world.start(server);
  std::set<std::string> seen;
  for (const char* name : {"ada", "bob", "cyd"}) {
    world.client(name, [&](sim::Client& client) {
      client.connect(server.urls()[0]);
      client.send("next\nnext\n");
      for (int i = 0; i < 2; ++i)
        world.check(seen.insert(client.read_line()).second, "a number came twice");
    });
  }
  world.finish(server);
}

int main() { return sim::explore({.name = "numbers", .seeds = 100}, three_clients) ? 0 : 1; }
