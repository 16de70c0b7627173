// The defect: two servers of one process gave their connections the same ids, and what a handler of
// one of them sent to a connection of the other went to a connection of its own server. Method: two
// servers with as many clients, whose handlers tell ids and send across; a Peer outlives a third.
#include <gtest/gtest.h>

#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "support/client.h"
#include "support/test_server.h"
#include "support/wait.h"

namespace {

using support::Client;
using support::TestServer;
namespace tr = trireme;

class IdsOfTwoServers : public support::ServerTest {};

// Of all connections, by server.
struct Register {
  std::mutex mutex;
  std::map<std::string, std::vector<tr::Peer>> peers;
  std::optional<tr::Reply> kept;

  void enter(const std::string& server, const tr::Peer& peer) {
    const std::lock_guard lock(mutex);
    peers[server].push_back(peer);
  }
  tr::Peer peer(const std::string& server, size_t index) {
    const std::lock_guard lock(mutex);
    return peers.at(server).at(index);
  }
};

TEST_P(IdsOfTwoServers, Differ) {
  constexpr size_t kClients = 5;
  Register all;
  TestServer left(options()), right(options());
  const auto listen = [&](TestServer& server, const std::string& name) {
    server.listen([&all, name](const tr::Request& request) -> tr::Answer {
      all.enter(name, request.peer());
      return request.own();
    });
    server.start();
  };
  listen(left, "left");
  listen(right, "right");
  std::vector<Client> clients;
  for (size_t i = 0; i < kClients; ++i) {
    for (TestServer* server : {&left, &right}) {
      clients.emplace_back(server->url());
      ASSERT_EQ(clients.back().ask("x"), "x");
    }
  }
  std::set<uint64_t> ids;
  for (const auto& [name, peers] : all.peers) {
    for (const tr::Peer& peer : peers) ids.insert(peer.id().value);
  }
  EXPECT_EQ(ids.size(), 2 * kClients);
}

TEST_P(IdsOfTwoServers, LeadAHandlerToTheRightOne) {
  Register all;
  TestServer left(options()), right(options());
  right.listen([&](const tr::Request& request, tr::Reply reply) {
    all.enter("right", request.peer());
    if (request.text() == "keep") {
      const std::lock_guard lock(all.mutex);
      all.kept.emplace(std::move(reply));
    } else {
      std::move(reply).send(request.text());
    }
  });
  left.listen([&](const tr::Request& request) -> tr::Answer {
    if (request.text() == "push") all.peer("right", 0).send("from the left\n");
    if (request.text() == "answer") {
      const std::lock_guard lock(all.mutex);
      std::move(*all.kept).send("kept");
    }
    if (request.text() == "close") all.peer("right", 0).close();
    return request.own();
  });
  left.start();
  right.start();
  Client here(left.url()), there(right.url());
  ASSERT_EQ(there.ask("x"), "x");
  EXPECT_EQ(here.ask("push"), "push");
  EXPECT_EQ(there.line(), "from the left");
  ASSERT_TRUE(there.send("keep\n"));
  ASSERT_TRUE(support::wait_until([&] {
    const std::lock_guard lock(all.mutex);
    return all.kept.has_value();
  }));
  EXPECT_EQ(here.ask("answer"), "answer");
  EXPECT_EQ(there.line(), "kept");
  EXPECT_EQ(here.ask("close"), "close");
  EXPECT_EQ(there.receive_all(), "");
  EXPECT_EQ(here.ask("still here"), "still here");
}

// A Peer keeps the numbers of its server, whatever comes after it.
TEST_P(IdsOfTwoServers, DifferFromThoseOfAPeerThatIsKept) {
  Register all;
  const auto serve = [&](const std::string& name) {
    TestServer server(options());
    server.listen([&all, name](const tr::Request& request) -> tr::Answer {
      all.enter(name, request.peer());
      return request.own();
    });
    server.start();
    Client client(server.url());
    EXPECT_EQ(client.ask("x"), "x");
  };
  serve("first");
  const tr::Peer kept = all.peer("first", 0);
  all.peers.clear();
  for (int i = 0; i < 3; ++i) {
    serve("later");
    EXPECT_NE(all.peer("later", 0).id(), kept.id());
    EXPECT_FALSE(kept.connected());
    all.peers.clear();
  }
}

std::vector<support::Setup> one_of_each() {
  std::vector<support::Setup> setups = {
      {tr::Dispatch::kInline, tr::DriverKind::kEpoll, 1},
      {tr::Dispatch::kWorkers, tr::DriverKind::kEpollEdge, 4},
      {tr::Dispatch::kAdaptive, tr::DriverKind::kEpoll, 4},
  };
  if (support::has_uring()) {
    setups.push_back({tr::Dispatch::kWorkers, tr::DriverKind::kEpoll, 1, true});
  }
  return setups;
}

INSTANTIATE_TEST_SUITE_P(Setups, IdsOfTwoServers, ::testing::ValuesIn(one_of_each()),
                         support::name_of);

}  // namespace
