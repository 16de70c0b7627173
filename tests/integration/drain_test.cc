// Goal: the end of a server is in good order: what had arrived is answered whole, clients see a FIN
// and no reset, nothing is left behind, and a handler that does not return is named.
// Method: drains while clients talk; a client knows that a request has arrived when its kernel says
// that nothing is unacknowledged.
#include <algorithm>
#include <atomic>
#include <string>
#include <thread>
#include <vector>

#include "support/client.h"
#include "support/gate.h"
#include "support/test_server.h"

namespace {

using support::Client;
using support::Gate;
using support::TestServer;
using support::wait_until;
namespace tr = trireme;
using namespace std::chrono_literals;

class DrainTest : public support::ServerTest {};

std::string numbered(const char* mark, int from, int to) {
  std::string lines;
  for (int i = from; i < to; ++i) lines += mark + std::to_string(i) + "\n";
  return lines;
}

// Requests wait in handlers, in buffers, in the kernel: all that had arrived are answered.
TEST_P(DrainTest, AnswersAllThatHadArrived) {
  for (const tr::Ordering ordering : {tr::Ordering::kSerial, tr::Ordering::kPipelined}) {
    const bool waits = GetParam().dispatch != tr::Dispatch::kInline;
    TestServer server(options());
    Gate gate;
    server.listen(
        [gate, waits](const tr::Request& request) -> tr::Answer {
          if (waits) gate.wait();
          return request.own();
        },
        {.ordering = ordering});
    server.start();
    const Gate::Opener opener(gate);
    // More than is read ahead, in long lines: where every handler loses its loop, each one costs.
    const std::string lines = numbered(std::string(120, 'r').c_str(), 0, 1'000);
    std::vector<Client> clients;
    for (int i = 0; i < 6; ++i) {
      clients.emplace_back(i % 2 == 0 ? server.url() : server.url6());
      ASSERT_TRUE(clients.back().send(lines));
      ASSERT_TRUE(clients.back().wait_all_arrived());
      ASSERT_TRUE(clients.back().send("a part of a requ"));
    }
    std::thread drain([&] { EXPECT_TRUE(server.drain().empty()); });
    if (waits) {
      // New clients are refused once it is under way.
      EXPECT_TRUE(wait_until([&] { return !Client(server.url()).connected(); }));
      gate.open();
    }
    for (Client& client : clients) {
      EXPECT_TRUE(client.receive_all() == lines);
      EXPECT_EQ(client.end(), Client::End::kEof);
      client.close();
    }
    drain.join();
    EXPECT_EQ(server.closed(tr::CloseReason::kDrainCut), 0u);
  }
}

// Clients that never stop: each gets whole replies in order, at least to what had arrived before
// the drain, and then a FIN.
TEST_P(DrainTest, UnderLoad) {
  TestServer server(options());
  server.listen([](const tr::Request& request) -> tr::Answer { return request.own(); });
  server.start();
  std::atomic<bool> draining{false};
  std::atomic<int> busy{0};
  std::vector<std::thread> threads;
  for (int k = 0; k < 6; ++k) {
    threads.emplace_back([&, k] {
      Client client(k % 2 == 0 ? server.url() : server.url6());
      int sent = 0, answered = 0, due = 0;
      while (client.end() == Client::End::kOpen) {
        const int more = sent + 10;
        if (!client.send(numbered("r", sent, more))) break;
        const bool before = !draining && client.wait_all_arrived() && !draining;
        sent = more;
        if (before) due = sent;
        while (answered < sent && client.end() == Client::End::kOpen) {
          const std::string line = client.line();
          if (line.empty()) break;
          ASSERT_EQ(line, "r" + std::to_string(answered++));
        }
        if (answered == 100) ++busy;
      }
      EXPECT_EQ(client.end(), Client::End::kEof);
      EXPECT_GE(answered, due);
    });
  }
  EXPECT_TRUE(wait_until([&] { return busy == 6; }));
  draining = true;
  EXPECT_TRUE(server.drain().empty());
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(server.closed(tr::CloseReason::kDrained), 6u);
}

TEST_P(DrainTest, HandlersSeeIt) {
  if (GetParam().dispatch == tr::Dispatch::kInline) GTEST_SKIP() << "the handler blocks";
  TestServer server(options());
  std::atomic<bool> running{false};
  server.listen([&](const tr::Request& request) -> tr::Answer {
    running = true;
    wait_until([&] { return request.cancelled().stop_requested(); });
    return request.cancelled().reason() == tr::CancelReason::kDrain ? "stopped" : "not told";
  });
  server.start();
  Client client(server.url());
  ASSERT_TRUE(client.send("x\n"));
  ASSERT_TRUE(wait_until([&] { return running.load(); }));
  std::thread drain([&] { EXPECT_TRUE(server.drain().empty()); });
  EXPECT_EQ(client.receive_all(), "stopped\n");
  client.close();
  drain.join();
}

// What has arrived is still handled, and told so, too: it would keep the drain waiting as well.
TEST_P(DrainTest, HandlersThatStartInItAreTold) {
  if (GetParam().dispatch == tr::Dispatch::kInline) GTEST_SKIP() << "the handler blocks";
  TestServer server(options());
  std::atomic<bool> running{false};
  server.listen([&](const tr::Request& request) -> tr::Answer {
    running = true;
    if (request.text() == "first") tr::wait_for(10min);
    const bool stops = request.stop_token().stop_requested();
    const bool waits = tr::wait_for(10min);
    const bool told = request.cancelled().reason() == tr::CancelReason::kDrain;
    return std::string(told ? "told" : "not told") + (stops && !waits ? "" : ", and goes on");
  });
  server.start();
  Client client(server.url());
  ASSERT_TRUE(client.send("first\nsecond\nthird\n"));
  ASSERT_TRUE(wait_until([&] { return running.load(); }));
  ASSERT_TRUE(client.wait_all_arrived());
  std::thread drain([&] { EXPECT_TRUE(server.drain().empty()); });
  EXPECT_EQ(client.receive_all(), "told\ntold\ntold\n");
  client.close();
  drain.join();
}

struct Polite {
  explicit Polite(tr::Peer given) : peer(std::move(given)) {}
  tr::Answer on_request(const tr::Request& request) { return request.own(); }
  void on_drain() { peer.send("good bye\n"); }
  tr::Peer peer;
};

TEST_P(DrainTest, SessionsSayGoodbye) {
  TestServer server(options());
  server.serve<Polite>({});
  server.start();
  Client client(server.url()), other(server.url6());
  ASSERT_EQ(client.ask("a"), "a");
  ASSERT_EQ(other.ask("b"), "b");
  std::thread drain([&] { EXPECT_TRUE(server.drain().empty()); });
  for (Client* each : {&client, &other}) {
    EXPECT_EQ(each->receive_all(), "good bye\n");
    EXPECT_EQ(each->end(), Client::End::kEof);
    each->close();
  }
  drain.join();
}

// The drain names the handler and returns; the destructor waits until it does.
TEST_P(DrainTest, NamesAHandlerThatDoesNotReturn) {
  Gate gate;
  tr::ServerOptions short_drain = options();
  short_drain.drain_time_max = 100ms;
  TestServer server(short_drain);
  tr::ListenOptions listen;
  listen.name = "stubborn";
  server.listen(
      [gate](const tr::Request& request) -> tr::Answer {
        if (request.text() == "wait") gate.wait();
        return request.own();
      },
      listen);
  server.start();
  const Gate::Opener opener(gate);
  Client client(server.url());
  ASSERT_TRUE(client.send("wait\n"));
  ASSERT_TRUE(wait_until([&] { return gate.arrived() == 1; }));
  const std::vector<tr::StuckJob> stuck = server.drain();
  ASSERT_EQ(stuck.size(), 1u);
  EXPECT_EQ(stuck[0].service, "stubborn");
  EXPECT_FALSE(stuck[0].thread.empty());
  EXPECT_GE(stuck[0].running_for, 90ms);
  EXPECT_LT(stuck[0].running_for, 60s);
  if (GetParam().dispatch != tr::Dispatch::kInline) {
    EXPECT_EQ(server.closed(tr::CloseReason::kDrainCut), 1u);
    EXPECT_NE(client.end(), Client::End::kDeadline);
  }
  EXPECT_EQ(server.drain().size(), 1u);
  // When it returns after all, nothing is held any more, although the server still stands.
  gate.open();
  EXPECT_TRUE(wait_until([&] { return tr::books_balance(server.stats(), nullptr); }));
}

TEST_P(DrainTest, CutEndsItAtOnce) {
  TestServer server(options());
  std::vector<tr::Reply> kept;
  server.listen([&](const tr::Request&, tr::Reply reply) { kept.push_back(std::move(reply)); });
  server.start();
  Client client(server.url());
  ASSERT_TRUE(client.send("never answered\n"));
  ASSERT_TRUE(wait_until([&] { return server.stats().requests == 1; }));
  std::thread drain([&] { EXPECT_TRUE(server.drain().empty()); });
  EXPECT_TRUE(wait_until([&] { return !Client(server.url()).connected(); }));
  server.server().cut_drain();
  drain.join();
  // A probing client that was accepted at the last moment is cut with it.
  EXPECT_GE(server.closed(tr::CloseReason::kDrainCut), 1u);
}

TEST_P(DrainTest, StartAndStopAHundredTimes) {
  std::thread([] {}).join();  // a sanitizer starts a thread of its own beside the first one
  const size_t descriptors = support::open_descriptors();
  const size_t threads = support::thread_names().size();
  for (int i = 0; i < support::scaled(100); ++i) {
    TestServer server(options());
    server.listen(support::mark);
    server.start();
    if (i % 4 == 0) continue;  // stopped before anybody came
    Client client(i % 2 == 0 ? server.url() : server.url6());
    ASSERT_EQ(client.ask("x"), "<x>");
    if (i % 4 == 1) client.reset();
  }
  EXPECT_EQ(support::open_descriptors(), descriptors);
  // The kernel lists a thread for a moment after it was joined: the first count may be one too
  // high.
  EXPECT_TRUE(wait_until([&] { return support::thread_names().size() <= threads; }));
}

INSTANTIATE_TEST_SUITE_P(Setups, DrainTest, ::testing::ValuesIn(support::every_setup()),
                         support::name_of);

}  // namespace
