// The defect: Peer::end() of another thread while a data worker was about to write the answer. Its
// job came home quietly, nobody woke the loop for the FIN, and the client waited for it until the
// loop had something else to do.
// Method: one data worker, with more work behind the answer that its loop does not hear of.
#include <mutex>
#include <optional>
#include <string>

#include "support/client.h"
#include "support/gate.h"
#include "support/test_server.h"
#include "support/wait.h"

namespace {

using support::Client;
using support::Gate;
using support::TestServer;
using support::wait_until;
namespace tr = trireme;

class EndBesideDirectWrite : public support::ServerTest {};

TEST_P(EndBesideDirectWrite, IsNotLate) {
  tr::ServerOptions options = this->options();
  options.io_workers = 1;
  options.data_workers = 1;
  Gate first, second;
  std::mutex mutex;
  std::optional<tr::Peer> peer;
  TestServer server(options);
  server.listen([&](const tr::Request& request) -> tr::Answer {
    if (request.text() == "first") {
      {
        const std::lock_guard lock(mutex);
        peer = request.peer();
      }
      first.wait();
    } else if (request.text() == "second") {
      second.wait();
    }
    return request.own();
  });
  server.start();
  const Gate::Opener first_opener(first), second_opener(second);
  Client client(server.url()), other(server.url()), third(server.url());
  ASSERT_TRUE(client.send("first\n"));
  ASSERT_TRUE(wait_until([&] { return first.arrived() == 1; }));
  ASSERT_TRUE(other.send("second\n"));
  ASSERT_TRUE(wait_until([&] { return server.stats().requests == 2; }));
  ASSERT_TRUE(third.send("third\n"));
  ASSERT_TRUE(wait_until([&] { return server.stats().requests == 3; }));
  const uint64_t turns = server.stats().loop_turns;
  {
    const std::lock_guard lock(mutex);
    peer->end();
  }
  ASSERT_TRUE(wait_until([&] { return server.stats().loop_turns > turns; }));
  first.open();
  EXPECT_EQ(client.receive_all(), "first\n");
  EXPECT_EQ(client.end(), Client::End::kEof);
  second.open();
}

INSTANTIATE_TEST_SUITE_P(Setups, EndBesideDirectWrite,
                         ::testing::ValuesIn(support::setups_of(tr::Dispatch::kWorkers)),
                         support::name_of);

}  // namespace
