// Goal: a push may come from any thread at any moment of a connection's life; a client that does
// not read costs a bounded queue and what the push's policy says.
// Method: threads that push while clients close; a client with a tiny receive buffer.
#include <atomic>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "support/client.h"
#include "support/test_server.h"

namespace {

using support::Client;
using support::TestServer;
using support::wait_until;
namespace tr = trireme;

struct Room {
  std::mutex mutex;
  std::vector<tr::Peer> peers;
  tr::Peer last() {
    const std::lock_guard lock(mutex);
    return peers.empty() ? tr::Peer() : peers.back();
  }
  std::vector<tr::Peer> all() {
    const std::lock_guard lock(mutex);
    return peers;
  }
};

struct Member {
  Member(tr::Peer mine, Room& where) : peer(std::move(mine)), room(where) {
    const std::lock_guard lock(room.mutex);
    room.peers.push_back(peer);
  }
  tr::Answer on_request(const tr::Request& request) {
    if (request.text() == "push") peer.send("pushed before the reply\n");
    if (request.text() == "close") peer.close();
    if (request.text() == "shared") return tr::SharedBytes(std::string(30'000, 'a'));
    return request.own();
  }
  tr::Peer peer;
  Room& room;
};

class PushTest : public support::ServerTest {
 protected:
  PushTest() : server_(options()) {
    tr::ListenOptions listen;
    listen.limits.write_bytes_high = 64 << 10;
    listen.limits.write_bytes_low = 16 << 10;
    server_.serve<Member>(listen, room_);
    server_.start();
  }
  // A connected peer and its client.
  std::pair<Client, tr::Peer> join(int receive_buffer_bytes = 0) {
    Client client(server_.url(), {.receive_buffer_bytes = receive_buffer_bytes});
    EXPECT_EQ(client.ask("hello"), "hello");
    return {std::move(client), room_.last()};
  }

  Room room_;
  TestServer server_;
};

TEST_P(PushTest, LeavesBeforeTheReplyOfItsHandler) {
  auto [client, peer] = join();
  EXPECT_EQ(peer.address(), "127.0.0.1:" + std::to_string(client.port()));
  EXPECT_EQ(client.ask("push"), "pushed before the reply");
  EXPECT_EQ(client.line(), "push");
}

TEST_P(PushTest, CloseFromTheHandlerAndFromElsewhere) {
  auto [first, first_peer] = join();
  EXPECT_EQ(first.converse("close\n"), "close\n");
  EXPECT_EQ(first.end(), Client::End::kEof);
  auto [second, second_peer] = join();
  EXPECT_EQ(second_peer.send("last words\n"), tr::SendResult::kQueued);
  second_peer.close();
  EXPECT_EQ(second.receive_all(), "last words\n");
  EXPECT_EQ(second.end(), Client::End::kEof);
  first.close();
  second.close();
  EXPECT_TRUE(wait_until(
      [&one = first_peer, &two = second_peer] { return !one.connected() && !two.connected(); }));
  EXPECT_EQ(second_peer.send("x"), tr::SendResult::kClosed);
  EXPECT_EQ(second_peer.address(), "");
}

TEST_P(PushTest, FromManyThreadsInTheOrderOfEach) {
  auto [client, peer] = join();
  constexpr int kThreads = 4;
  const int count = support::scaled(2000);
  std::vector<std::thread> threads;
  for (int thread = 0; thread < kThreads; ++thread) {
    threads.emplace_back([&, thread, to = peer] {
      for (int i = 0; i < count; ++i) {
        const std::string line = std::to_string(thread) + " " + std::to_string(i) + "\n";
        while (to.send(line) == tr::SendResult::kFull) std::this_thread::yield();
      }
    });
  }
  std::vector<int> next(kThreads, 0);
  for (int i = 0; i < kThreads * count; ++i) {
    const std::string line = client.line();
    ASSERT_GE(line.size(), 3u);
    const int thread = line[0] - '0';
    EXPECT_EQ(std::stoi(line.substr(2)), next[thread]++);
  }
  for (std::thread& thread : threads) thread.join();
}

TEST_P(PushTest, WhileClientsClose) {
  std::atomic<bool> stop{false};
  std::vector<std::thread> pushers;
  for (int i = 0; i < 2; ++i) {
    pushers.emplace_back([&] {
      while (!stop) {
        for (const tr::Peer& peer : room_.all()) {
          peer.send("news\n", tr::Overflow::kLatest);
          peer.send("more\n");
        }
        std::this_thread::yield();
      }
    });
  }
  for (int i = 0; i < support::scaled(100); ++i) {
    Client client(server_.url());
    ASSERT_TRUE(client.send("hello\n"));
    ASSERT_NE(client.line(), "");
    if (i % 3 == 0) client.reset();
    if (i % 3 == 1) client.shutdown_write();
  }
  EXPECT_TRUE(wait_until([&] { return server_.stats().live == 0; }));
  stop = true;
  for (std::thread& pusher : pushers) pusher.join();
}

// Pushes go on while the server ends; whoever pushes learns that the connection is gone.
TEST_P(PushTest, WhileTheServerDrains) {
  auto [client, peer] = join();
  std::thread pusher([to = peer] {
    while (to.send("news\n") != tr::SendResult::kClosed) std::this_thread::yield();
  });
  client.line();
  std::thread reader([&client = client] {
    client.receive_all();
    client.close();
  });
  EXPECT_TRUE(server_.drain().empty());
  reader.join();
  pusher.join();
}

TEST_P(PushTest, RejectTellsTheSender) {
  auto [client, peer] = join(4096);
  const std::string piece(1000, 'x');
  size_t queued = 0;
  ASSERT_TRUE(wait_until([&, &peer = peer] {
    for (int i = 0; i < 100; ++i) {
      const tr::SendResult result = peer.send(piece);
      if (result == tr::SendResult::kFull) return true;
      if (result == tr::SendResult::kQueued) ++queued;
    }
    return queued > 1'000'000;
  }));
  EXPECT_EQ(client.receive(queued * piece.size()), std::string(queued * piece.size(), 'x'));
  EXPECT_EQ(client.ask("there"), "there");
  EXPECT_TRUE(wait_until([&peer = peer] { return peer.send("y\n") == tr::SendResult::kQueued; }));
  EXPECT_EQ(client.line(), "y");
}

TEST_P(PushTest, CloseEndsASlowConsumer) {
  auto [client, peer] = join(4096);
  const std::string piece(10'000, 'x');
  EXPECT_TRUE(wait_until([&, &peer = peer] {
    for (int i = 0; i < 50; ++i) {
      if (peer.send(piece, tr::Overflow::kClose) == tr::SendResult::kClosed) return true;
    }
    return false;
  }));
  EXPECT_EQ(server_.closed(tr::CloseReason::kSlowConsumer), 1u);
}

TEST_P(PushTest, LatestKeepsTheNewest) {
  auto [client, peer] = join(4096);
  const std::string filler(10'000, '.');
  const int count = 2000;
  for (int i = 0; i < count; ++i) {
    const std::string line = std::to_string(i) + filler + "\n";
    ASSERT_TRUE(wait_until([&, &peer = peer] {
      return peer.send(line, tr::Overflow::kLatest) == tr::SendResult::kQueued;
    }));
  }
  int previous = -1, seen = 0;
  while (previous != count - 1) {
    const std::string line = client.line();
    ASSERT_EQ(line.substr(line.find('.')).size(), filler.size());
    const int number = std::stoi(line);
    ASSERT_GT(number, previous);
    previous = number;
    ++seen;
  }
  EXPECT_LT(seen, count);
}

// However it is sent: as it is, in an envelope, as the newest value, as an answer.
TEST_P(PushTest, SharedBytesReachEverySubscriber) {
  constexpr int kSubscribers = 12;
  std::vector<Client> clients;
  std::vector<tr::Peer> peers;
  for (int i = 0; i < kSubscribers; ++i) {
    auto [client, peer] = join(i % 2 == 0 ? 4096 : 0);
    clients.push_back(std::move(client));
    peers.push_back(std::move(peer));
  }
  const std::string small(100, 's'), large(60'000, 'l');
  const tr::SharedBytes small_line(small + "\n"), large_line(large + "\n");
  const tr::SharedBytes small_text(small), large_text(large);
  for (const tr::Peer& peer : peers) {
    ASSERT_EQ(peer.send(large_line), tr::SendResult::kQueued);
    ASSERT_EQ(peer.send(small_line), tr::SendResult::kQueued);
    ASSERT_EQ(peer.push(large_text, tr::Overflow::kClose), tr::SendResult::kQueued);
    ASSERT_EQ(peer.push(small_text, tr::Overflow::kLatest), tr::SendResult::kQueued);
  }
  for (Client& client : clients) {
    ASSERT_TRUE(client.send("shared\n"));
    EXPECT_EQ(client.line(), large);
    EXPECT_EQ(client.line(), small);
    EXPECT_EQ(client.line(), large);
    EXPECT_EQ(client.line(), small);
    EXPECT_EQ(client.line(), std::string(30'000, 'a'));
  }
}

INSTANTIATE_TEST_SUITE_P(Setups, PushTest, ::testing::ValuesIn(support::every_setup()),
                         support::name_of);

}  // namespace
