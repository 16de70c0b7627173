// Goal: a handler starts a transport layer behind its answer, as STARTTLS does: what was read with
// the command is never a plain request, pushes and requests wait for the handshake, and where
// requests overlap it is refused.
// Method: a layer that changes every byte, by a job and without one, on every driver and wherever
// handlers run; one client that sends all at once.
#include <atomic>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "support/client.h"
#include "support/knock_layer.h"
#include "support/test_server.h"
#include "support/wait.h"
#include "trireme/blocking.h"

namespace {

using support::Client;
using support::kBye;
using support::kKnock;
using support::kRefusal;
using support::kWelcome;
using support::TestServer;
using support::turned;
using support::wait_until;
namespace tr = trireme;

using Factory = std::shared_ptr<const tr::LayerFactory>;

class StartLayerTest : public support::ServerTest {
 protected:
  static std::vector<Factory> factories() {
    return {std::make_shared<support::KnockFactory>(),
            std::make_shared<support::HeavyKnockFactory>()};
  }
  static auto handler(const Factory& layer) {
    return [layer](const tr::Request& request) -> tr::Answer {
      if (request.text() == "START") return tr::Answer("go ahead").then_layer(layer);
      if (request.text() == "LAYERS") return request.peer().layers().text();
      return "<" + request.own() + ">";
    };
  }
};

TEST_P(StartLayerTest, BehindTheAnswerAllGoesThroughIt) {
  for (const Factory& layer : factories()) {
    TestServer server(options());
    server.listen(handler(layer));
    server.start();
    Client client(server.url());
    EXPECT_EQ(client.ask("plain"), "<plain>");
    EXPECT_EQ(client.ask("LAYERS"), "");
    EXPECT_EQ(client.ask("START"), "go ahead");
    ASSERT_TRUE(client.send(kKnock));
    EXPECT_EQ(client.receive(kWelcome.size()), kWelcome);
    std::string sent, wanted;
    for (int i = 0; i < 1000; ++i) {
      sent += std::to_string(i) + "\n";
      wanted += "<" + std::to_string(i) + ">\n";
    }
    sent += "LAYERS\n";
    wanted += "knock.times=1\n";
    EXPECT_EQ(client.converse(turned(sent) + kBye, true), turned(wanted) + kBye);
  }
}

// RFC 3207, section 6; CVE-2011-0411.
TEST_P(StartLayerTest, WhatWasReadWithTheCommandIsNoPlainRequest) {
  for (const Factory& layer : factories()) {
    TestServer server(options());
    server.listen(handler(layer));
    server.start();
    Client attacker(server.url());
    // As much as a handshake has, so that the layer judges it.
    EXPECT_EQ(attacker.converse("one\nSTART\nevil\nmore evil\n", true),
              "<one>\ngo ahead\n" + kRefusal);
    EXPECT_TRUE(wait_until([&] { return server.closed(tr::CloseReason::kLayerFailed) == 1; }));
    EXPECT_EQ(server.stats().requests, 2u);
    Client eager(server.url());  // and does not wait for the answer
    EXPECT_EQ(eager.converse("START\n" + kKnock + turned("a\nb\n") + kBye, true),
              "go ahead\n" + kWelcome + turned("<a>\n<b>\n") + kBye);
  }
}

TEST_P(StartLayerTest, AHalfRequestBehindTheCommandIsDropped) {
  TestServer server(options());
  server.listen(handler(factories()[1]));
  server.start();
  Client client(server.url());
  ASSERT_TRUE(client.send("START\n" + kKnock.substr(0, 3)));
  EXPECT_EQ(client.line(), "go ahead");
  ASSERT_TRUE(client.send(kKnock.substr(3)));
  EXPECT_EQ(client.receive(kWelcome.size()), kWelcome);
  ASSERT_TRUE(client.send(turned("x\n")));
  EXPECT_EQ(client.receive(4), turned("<x>\n"));
}

struct Member {
  Member(tr::Peer mine, std::vector<tr::Peer>& all, std::mutex& lock, const Factory& with)
      : layer(with) {
    const std::lock_guard guard(lock);
    all.push_back(std::move(mine));
  }
  tr::Answer on_request(const tr::Request& request) {
    if (request.text() == "START") return tr::Answer("go ahead").then_layer(layer);
    return request.own();
  }
  const Factory& layer;
};

TEST_P(StartLayerTest, PushesWaitForTheHandshake) {
  std::vector<tr::Peer> peers;
  std::mutex mutex;
  const Factory layer = factories()[1];
  TestServer server(options());
  server.serve<Member>({}, peers, mutex, layer);
  server.start();
  Client client(server.url());
  EXPECT_EQ(client.ask("START"), "go ahead");
  const tr::Peer peer = [&] {
    const std::lock_guard lock(mutex);
    return peers[0];
  }();
  EXPECT_EQ(peer.send("pushed\n"), tr::SendResult::kQueued);
  EXPECT_EQ(peer.send("again\n"), tr::SendResult::kQueued);
  ASSERT_TRUE(client.send(kKnock));
  EXPECT_EQ(client.receive(kWelcome.size()), kWelcome);
  EXPECT_EQ(client.receive(13), turned("pushed\nagain\n"));
  // One that never shakes hands leaves nothing behind.
  Client other(server.url());
  EXPECT_EQ(other.ask("START"), "go ahead");
  const tr::Peer gone = [&] {
    const std::lock_guard lock(mutex);
    return peers[1];
  }();
  EXPECT_EQ(gone.send("never\n"), tr::SendResult::kQueued);
  other.reset();
  EXPECT_TRUE(wait_until([&] { return server.stats().live == 1; }));
}

TEST_P(StartLayerTest, TheHandshakeHasItsClockAndADrainWaitsForNobody) {
  TestServer server(options());
  tr::ListenOptions listen;
  listen.limits.handshake_time_max = std::chrono::milliseconds(30);
  server.listen(handler(factories()[1]), listen);
  server.start();
  Client slow(server.url());
  EXPECT_EQ(slow.ask("START"), "go ahead");
  EXPECT_EQ(slow.receive_all(), "");
  EXPECT_TRUE(wait_until([&] { return server.closed(tr::CloseReason::kHandshakeTimeout) == 1; }));
  Client drained(server.url());
  EXPECT_EQ(drained.ask("START"), "go ahead");
  EXPECT_TRUE(server.drain().empty());
  EXPECT_EQ(drained.receive_all(), "");
}

TEST_P(StartLayerTest, IsRefusedWhereRequestsOverlap) {
  TestServer server(options());
  tr::ListenOptions listen;
  listen.ordering = tr::Ordering::kPipelined;
  server.listen(handler(factories()[0]), listen);
  server.start();
  Client client(server.url());
  EXPECT_EQ(client.converse("START\nmore\n", true).substr(0, 13), "ERR internal\n");
  EXPECT_TRUE(server.says("then_layer"));
}

class NoneFactory final : public tr::LayerFactory {
 public:
  std::string_view name() const override { return "none"; }
  std::unique_ptr<tr::TransportLayer> make(std::string_view) const override { return nullptr; }
};

TEST_P(StartLayerTest, AFactoryThatMakesNoneCostsItsConnection) {
  const Factory none = std::make_shared<NoneFactory>();
  TestServer server(options());
  server.listen(handler(none));
  server.listen(handler(none), {.layers = {none}});
  server.start();
  Client client(server.url());
  EXPECT_EQ(client.converse("START\nmore\n", true), "go ahead\n");
  Client other(server.server().urls()[2]);
  EXPECT_EQ(other.converse("x\n"), "");
  EXPECT_TRUE(wait_until([&] { return server.closed(tr::CloseReason::kLayerFailed) == 2; }));
  EXPECT_TRUE(server.says("make() of the layer 'none' has returned none"));
}

struct DrainedMember {
  struct Books {
    Factory layer;
    std::atomic<int> drains{0}, closes{0};
    std::mutex mutex{};
    tr::Peer peer{};
  };
  DrainedMember(tr::Peer mine, Books& all) : books(all) {
    const std::lock_guard lock(books.mutex);
    books.peer = std::move(mine);
  }
  tr::Answer on_request(const tr::Request&) const {
    tr::wait_for(std::chrono::hours(1));  // for the drain
    return tr::Answer("go ahead").then_layer(books.layer);
  }
  void on_drain() const { ++books.drains; }
  void on_close(tr::CloseReason) const { ++books.closes; }
  Books& books;
};

// A drain begins while the handler runs: on_drain is due when the handshake begins, which the drain
// does not wait for.
TEST_P(StartLayerTest, ADrainBesideTheHandshakeIsTold) {
  if (GetParam().dispatch == tr::Dispatch::kInline) return;  // the loop hears of the drain later
  for (const bool closes : {true, false}) {
    DrainedMember::Books books{.layer = factories()[0]};
    TestServer server(options());
    server.serve<DrainedMember>({}, books);
    server.start();
    Client client(server.url());
    ASSERT_TRUE(client.send("START\n"));
    ASSERT_TRUE(wait_until([&] { return server.stats().requests == 1; }));
    std::thread drain([&] { EXPECT_TRUE(server.drain().empty()); });
    EXPECT_EQ(client.line(), "go ahead");
    if (closes) {
      const std::lock_guard lock(books.mutex);
      books.peer.close();
    }
    EXPECT_EQ(client.receive_all(), "");
    client.close();
    drain.join();
    EXPECT_EQ(books.drains, 1);
    EXPECT_EQ(books.closes, 1);
    EXPECT_EQ(server.closed(tr::CloseReason::kDrainCut), 0u);
  }
}

INSTANTIATE_TEST_SUITE_P(Every, StartLayerTest, ::testing::ValuesIn(support::every_setup()),
                         support::name_of);

}  // namespace
