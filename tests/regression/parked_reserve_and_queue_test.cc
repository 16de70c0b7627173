// The defect: with all threads bound to loops, a loop without reserve put its job into the ready
// queue, and the one free thread, the parked reserve of a sleeping loop, was not told.
// Method: more loops than data workers, requests one at a time, with pauses in which reserves park.
#include <vector>

#include "support/client.h"
#include "support/test_server.h"

namespace {

using support::Client;
using support::TestServer;
namespace tr = trireme;
using namespace std::chrono_literals;

TEST(ParkedReserve, ComesForTheReadyQueue) {
  TestServer server({.io_workers = 4, .data_workers = 1, .dispatch = tr::Dispatch::kAdaptive});
  server.listen([](const tr::Request& request) -> tr::Answer { return request.text(); });
  server.start();
  std::vector<Client> clients;
  for (int i = 0; i < 8; ++i) clients.emplace_back(server.url());
  for (Client& client : clients) {
    support::let_pass(130ms);  // why: nothing tells that a reserve has parked
    ASSERT_EQ(client.ask("x"), "x");
  }
}

}  // namespace
