// Goal: a connection whose transport layer stays - it changes every byte - keeps all promises of a
// connection, on every driver and wherever handlers run.
// Method: clients that speak through the layer: floods, a client that does not read, pushes, a
// drain, the end from both sides.
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "support/client.h"
#include "support/knock_layer.h"
#include "support/test_server.h"

namespace {

using support::Client;
using support::kBye;
using support::kKnock;
using support::kWelcome;
using support::TestServer;
using support::turned;
using support::wait_until;
namespace tr = trireme;

class LayersTest : public support::ServerTest {
 protected:
  static tr::ListenOptions behind_knock() {
    tr::ListenOptions listen;
    listen.layers = {std::make_shared<support::KnockFactory>()};
    return listen;
  }
  // A client that is through.
  static Client enter(const TestServer& server, int receive_buffer_bytes = 0) {
    Client client(server.url(), {.receive_buffer_bytes = receive_buffer_bytes});
    EXPECT_TRUE(client.send(kKnock));
    EXPECT_EQ(client.receive(kWelcome.size()), kWelcome);
    return client;
  }
};

TEST_P(LayersTest, AFloodIsAnsweredInOrder) {
  for (const tr::Ordering ordering : {tr::Ordering::kSerial, tr::Ordering::kPipelined}) {
    TestServer server(options());
    tr::ListenOptions listen = behind_knock();
    listen.ordering = ordering;
    server.listen(support::mark, listen);
    server.start();
    Client client = enter(server);
    std::string sent, wanted;
    for (int i = 0; i < 3000; ++i) {
      sent += std::to_string(i) + "\n";
      wanted += "<" + std::to_string(i) + ">\n";
    }
    EXPECT_EQ(client.converse(turned(sent) + kBye, true), turned(wanted) + kBye);
    EXPECT_EQ(server.stats().direct_writes, 0u);
  }
}

TEST_P(LayersTest, ADrainAnswersAndSaysTheLastWords) {
  TestServer server(options());
  server.listen(support::mark, behind_knock());
  server.start();
  Client client = enter(server);
  ASSERT_TRUE(client.send(turned("1\n2\nunfinished")));
  ASSERT_EQ(client.receive(8), turned("<1>\n<2>\n"));
  EXPECT_TRUE(client.wait_all_arrived());
  client.shutdown_write();  // a cut, to the layer
  EXPECT_TRUE(wait_until([&] { return server.closed(tr::CloseReason::kLayerFailed) == 1; }));
  Client other = enter(server);
  std::vector<tr::StuckJob> stuck;
  std::thread drains([&] { stuck = server.drain(); });
  EXPECT_EQ(other.receive_all(), kBye);
  other.close();
  drains.join();
  EXPECT_TRUE(stuck.empty());
}

struct Member {
  Member(tr::Peer mine, std::vector<tr::Peer>& all, std::mutex& lock) {
    const std::lock_guard guard(lock);
    all.push_back(std::move(mine));
  }
  tr::Answer on_request(const tr::Request& request) { return request.own(); }
};

// Of values that wait, a client that does not read gets the newest; nothing of the layer is lost.
TEST_P(LayersTest, ASlowReaderGetsTheNewestValue) {
  std::vector<tr::Peer> peers;
  std::mutex mutex;
  tr::ServerOptions one_loop = options();
  one_loop.io_workers = 1;
  TestServer server(one_loop);
  tr::ListenOptions listen = behind_knock();
  listen.limits.write_bytes_high = 64 << 10;
  server.serve<Member>(listen, peers, mutex);
  server.start();
  Client client = enter(server, 4096);
  ASSERT_TRUE(client.send(turned("there\n")));
  ASSERT_EQ(client.receive(6), turned("there\n"));
  Client other = enter(server);
  ASSERT_TRUE(other.send(turned("there\n")));
  ASSERT_EQ(other.receive(6), turned("there\n"));
  const std::vector<tr::Peer> known = [&] {
    const std::lock_guard lock(mutex);
    return peers;
  }();
  const tr::Peer peer = known[0];
  std::string wanted;
  const std::string chunk = std::string(32 << 10, 'c') + "\n";
  // The loop has seen all that was pushed before.
  const auto sees_all = [&] {
    return known[1].send("seen\n") == tr::SendResult::kQueued &&
           other.receive(5) == turned("seen\n");
  };
  // Full is a queue that holds too much, not one to which much is on its way.
  for (bool seen = false; wanted.size() < (64u << 20); seen = !seen && sees_all()) {
    while (peer.send(chunk) == tr::SendResult::kQueued) {
      wanted += chunk;
      seen = false;
    }
    if (seen) break;
  }
  for (int value = 0; value < 100; ++value) {
    ASSERT_EQ(peer.send("value " + std::to_string(value) + "\n", tr::Overflow::kLatest),
              tr::SendResult::kQueued);
  }
  ASSERT_TRUE(sees_all());
  peer.close();
  wanted += "value 99\n";
  const std::string heard = turned(client.receive_all());
  ASSERT_EQ(heard.size(), wanted.size() + kBye.size());
  EXPECT_TRUE(heard.starts_with(wanted));
  EXPECT_TRUE(heard.ends_with(turned(kBye)));
}

INSTANTIATE_TEST_SUITE_P(Every, LayersTest, ::testing::ValuesIn(support::every_setup()),
                         support::name_of);

}  // namespace
