// Goal: connection ids of a world depend on its seed alone, and two servers in it share none.
// Method: the same world twice, with numbers of the process taken in between.
#include <gtest/gtest.h>

#include <set>
#include <string>
#include <vector>

#include "runtime/system/home_numbers.h"
#include "sim/machine.h"
#include "sim/sim_client.h"
#include "trireme/trireme.h"

namespace {

namespace tr = trireme;
namespace sim = trireme::sim;

std::vector<uint64_t> ids_of(uint64_t seed) {
  sim::MachineOptions options;
  options.faults = sim::Faults();
  sim::Machine world(seed, options);
  std::vector<uint64_t> ids;
  world.run([&] {
    const auto make = [&] {
      auto server = std::make_unique<tr::Server>(
          tr::ServerOptions{.io_workers = 2, .log = [](tr::LogLevel, std::string_view) {}},
          world.platform());
      server->listen("tcp://127.0.0.1:0", tr::lines(),
                     [&ids](const tr::Request& request) -> tr::Answer {
                       ids.push_back(request.connection().value);
                       return request.text();
                     });
      EXPECT_TRUE(server->start().ok());
      return server;
    };
    const auto first = make(), second = make();
    for (tr::Server* server : {first.get(), second.get(), first.get()}) {
      const std::string url = server->urls()[0];
      sim::SimClient client(world);
      EXPECT_EQ(client.connect(static_cast<uint16_t>(std::stoi(url.substr(url.rfind(':') + 1)))),
                0);
      EXPECT_EQ(client.send_all("x\n"), 0);
      EXPECT_EQ(client.receive_exactly(2).bytes, "x\n");
    }
  });
  return ids;
}

TEST(SimServerIds, DependOnTheSeedAlone) {
  for (uint64_t seed = 1; seed <= 5; ++seed) {
    const std::vector<uint64_t> ids = ids_of(seed);
    const tr::HomeNumbers::Lease taken = tr::real_platform().home_numbers->lease(7);
    EXPECT_EQ(ids_of(seed), ids) << "seed " << seed;
    EXPECT_EQ(std::set<uint64_t>(ids.begin(), ids.end()).size(), 3u) << "seed " << seed;
  }
}

}  // namespace
