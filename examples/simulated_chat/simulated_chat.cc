// The chat server of chat.h in 200 simulated worlds: members come, speak, stall and vanish, the
// network delays, threads are preempted, in an order drawn from a seed.
//
//   example_simulated_chat              finds the bug, makes the run small, and shows it; status 1
//   example_simulated_chat --repaired   the same seeds with the bug repaired; status 0
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <set>
#include <sstream>
#include <string>

#include "chat.h"
#include "trireme/sim/explore.h"

namespace sim = trireme::sim;
using namespace std::chrono_literals;

namespace {

// Says two lines, and looks for a gap in all that it hears. Lines of others may overtake each
// other.
void run_member(sim::Client& member, const std::string& url, sim::World& world) {
  member.pause(std::chrono::microseconds(member.below(500)));
  member.connect(url);
  member.send("I am " + member.name() + "\n");
  member.pause(std::chrono::microseconds(member.below(500)));
  member.send("bye\n");
  std::istringstream heard(member.read_for(100ms));
  std::set<uint64_t> numbers;
  for (std::string line; std::getline(heard, line);) {
    numbers.insert(std::strtoull(line.c_str(), nullptr, 10));
  }
  if (numbers.empty()) return;
  world.check(*numbers.rbegin() == numbers.size(), member.name() + " has missed a line");
}

void run_chat(sim::World& world, chat::Joining joining) {
  chat::Room room(joining);
  trireme::Server server({.io_workers = 2, .log_level = trireme::LogLevel::kWarning},
                         world.platform());
  chat::serve(server, "tcp://127.0.0.1:0", room);
  world.start(server);
  const std::string url = server.urls()[0];
  for (const char* name : {"ada", "bob", "cyd", "dan", "eve"}) {
    world.client(name, [&](sim::Client& member) { run_member(member, url, world); });
  }
  world.finish(server);
}

}  // namespace

int main(int argc, char** argv) {
  const bool repaired = argc > 1 && std::strcmp(argv[1], "--repaired") == 0;
  const auto joining = repaired ? chat::Joining::kAtOnce : chat::Joining::kInTwoSteps;
  const auto found = sim::explore({.name = "chat", .seeds = 200},
                                  [joining](sim::World& world) { run_chat(world, joining); });
  if (found) std::puts("200 seeds, and nobody has missed a line");
  return found ? 0 : 1;
}
