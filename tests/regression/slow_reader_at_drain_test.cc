// The defect: a client that read slowly, and sent something after the drain had begun, was reset
// when the time to linger was over, and lost the replies that its system had not taken yet. Method:
// a small receive buffer, replies that fill our send buffer, a byte into the draining server.
#include <string>
#include <thread>

#include "support/client.h"
#include "support/test_server.h"

namespace {

using support::Client;
using support::TestServer;
using support::wait_until;
namespace tr = trireme;
using namespace std::chrono_literals;

class SlowReaderAtDrain : public support::ServerTest {};

TEST_P(SlowReaderAtDrain, GetsAllReplies) {
  constexpr int kRequests = 20'000;
  tr::ServerOptions short_linger = options();
  short_linger.linger_time_max = 30ms;
  TestServer server(short_linger);
  tr::ListenOptions listen;
  listen.limits.write_bytes_high = 4 << 20;  // all is answered at once, into the queue
  server.listen([](const tr::Request& request) -> tr::Answer { return request.text(); }, listen);
  server.start();
  Client client(server.url(), {.receive_buffer_bytes = 4096});
  std::string lines;
  for (int i = 0; i < kRequests; ++i) lines += std::to_string(i) + "\n";
  ASSERT_TRUE(client.send(lines));
  ASSERT_TRUE(wait_until([&] { return server.stats().replies == kRequests; }));
  std::thread draining([&] { EXPECT_TRUE(server.drain().empty()); });
  support::let_pass(100ms);  // why: to be slow is the point
  EXPECT_TRUE(client.send("?"));
  EXPECT_EQ(client.receive_all(), lines);
  EXPECT_EQ(client.end(), Client::End::kEof);
  draining.join();
}

INSTANTIATE_TEST_SUITE_P(Setups, SlowReaderAtDrain, ::testing::ValuesIn(support::every_setup()),
                         support::name_of);

}  // namespace
