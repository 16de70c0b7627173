// The defect: with HalfClose::kGone the end of the client's stream was judged at the end of the
// next turn of its connection, when 256 requests more had begun.
// Method: the client ends its stream while the first of many requests runs.
#include <atomic>
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

class RequestsBehindGone : public support::ServerTest {};

TEST_P(RequestsBehindGone, NeverBegin) {
  Gate gate;
  std::atomic<int> begun{0};
  TestServer server(options());
  server.listen(
      [&](const tr::Request&) -> tr::Answer {
        if (++begun == 1) gate.wait();
        return "x";
      },
      {.half_close = tr::HalfClose::kGone});
  server.start();
  const Gate::Opener opener(gate);
  Client client(server.url());
  std::string lines;
  for (int i = 0; i < 1000; ++i) lines += "a\n";
  ASSERT_TRUE(client.send(lines));
  ASSERT_TRUE(wait_until([&] { return gate.arrived() == 1; }));
  client.shutdown_write();
  ASSERT_TRUE(client.wait_all_arrived());
  gate.open();
  EXPECT_TRUE(wait_until([&] { return server.closed(tr::CloseReason::kPeerClosed) == 1; }));
  EXPECT_LE(begun, 256);  // of the turn that had begun before
}

INSTANTIATE_TEST_SUITE_P(Setups, RequestsBehindGone, ::testing::ValuesIn(support::every_setup()),
                         support::name_of);

}  // namespace
