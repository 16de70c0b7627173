// A world with one server that echoes lines, for tests of the public simulator.
#pragma once

#include <functional>
#include <string>

#include "trireme/sim/explore.h"
#include "trireme/trireme.h"

namespace sim_api {

namespace tr = trireme;
namespace sim = trireme::sim;

inline tr::ServerOptions quiet(tr::ServerOptions options = {.io_workers = 2}) {
  options.log = [](tr::LogLevel, std::string_view) {};
  return options;
}

// Runs `clients` beside an echo server in `world`, and ends it in good order. Returns the books.
inline tr::Stats serve_echo(sim::World& world,
                            const std::function<void(const std::string& url)>& clients,
                            const tr::ServerOptions& options = quiet()) {
  tr::Server server(options, world.platform());
  server.listen("tcp://127.0.0.1:0", tr::lines(),
                [](const tr::Request& request) -> tr::Answer { return request.own(); });
  world.start(server);
  clients(server.urls()[0]);
  world.finish(server);
  return server.stats();
}

// What one run of `scenario`, in a world without faults, ends with.
inline sim::Verdict run_once(const sim::Scenario& scenario, sim::ExploreOptions options = {}) {
  options.seeds = 1;
  options.shrink_runs_max = 0;
  options.report = nullptr;
  if (!options.world.faults) options.world.faults = sim::Faults();
  return sim::explore(options, scenario);
}

}  // namespace sim_api
