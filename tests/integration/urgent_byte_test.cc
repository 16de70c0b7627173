// Goal: a byte that is sent as urgent (MSG_OOB, tcp(7)) and stands alone keeps no clock from its
// client: a readiness driver never receives it, and it is no reason to wait.
// Method: clients that send one, in each setup; the clocks are short.
#include <sys/socket.h>

#include <string>

#include "support/client.h"
#include "support/test_server.h"

namespace {

using support::Client;
using support::TestServer;
using support::wait_until;
namespace tr = trireme;
using namespace std::chrono_literals;

class UrgentByte : public support::ServerTest {};

void send_urgent(const Client& client) {
  ASSERT_EQ(::send(client.fd(), "!", 1, MSG_OOB | MSG_NOSIGNAL), 1);
}

TEST_P(UrgentByte, IsNoReasonToStay) {
  TestServer server(options());
  tr::ListenOptions listen;
  listen.limits.idle_time_max = 100ms;
  listen.limits.first_byte_time_max = 50ms;
  listen.limits.request_time_max = 100ms;
  server.listen(support::mark, listen);
  server.start();
  Client silent(server.url()), served(server.url()), slow(server.url());
  ASSERT_EQ(served.ask("x"), "<x>");
  ASSERT_TRUE(slow.send("a part"));
  for (Client* client : {&silent, &served, &slow}) {
    ASSERT_TRUE(client->wait_all_arrived());
    send_urgent(*client);
  }
  for (Client* client : {&silent, &served, &slow}) {
    client->receive_all();
    EXPECT_NE(client->end(), Client::End::kDeadline);
    client->close();
  }
  EXPECT_TRUE(wait_until([&] { return server.stats().live == 0; }));
}

TEST_P(UrgentByte, DoesNotHoldUpADrain) {
  tr::ServerOptions short_lingering = options();
  short_lingering.linger_time_max = 50ms;
  TestServer server(short_lingering);
  server.listen(support::mark);
  server.start();
  Client client(server.url());
  ASSERT_EQ(client.ask("x"), "<x>");
  send_urgent(client);
  EXPECT_TRUE(server.drain().empty());
  EXPECT_EQ(server.closed(tr::CloseReason::kDrainCut), 0u);
}

INSTANTIATE_TEST_SUITE_P(Setups, UrgentByte, ::testing::ValuesIn(support::every_setup()),
                         support::name_of);

}  // namespace
