// Goal: each limit ends or holds back exactly what it is for, with its own reason, and nobody else.
// Method: short limits, one client over each, and one that is not.
#include <mutex>
#include <string>
#include <utility>
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

class LimitsTest : public support::ServerTest {
 protected:
  bool is_inline() const { return GetParam().dispatch == tr::Dispatch::kInline; }
};

TEST_P(LimitsTest, ConnectionsMax) {
  tr::ServerOptions few = options();
  few.connections_max = 3;
  TestServer server(few);
  server.listen(support::mark);
  server.start();
  std::vector<Client> clients;
  for (int i = 0; i < 8; ++i) {
    clients.emplace_back(i % 2 == 0 ? server.url() : server.url6());
    ASSERT_TRUE(clients.back().send(std::to_string(i) + "\n"));
  }
  // Whoever is served leaves; then it is the turn of the next who waits in the backlog.
  size_t served = 0;
  EXPECT_TRUE(wait_until([&] {
    EXPECT_LE(server.stats().live, 3u);
    for (Client& client : clients) {
      if (!client.connected() || !client.readable_within(0ms)) continue;
      EXPECT_TRUE(client.line().starts_with("<"));
      client.close();
      ++served;
    }
    return served == clients.size();
  }));
  EXPECT_GE(server.stats().accept_pauses, 1u);
  EXPECT_TRUE(server.says("connections_max is reached: 3 connections are open"));
}

TEST_P(LimitsTest, ConnectionsPerAddress) {
  tr::ServerOptions few = options();
  few.connections_per_address_max = 2;
  TestServer server(few);
  server.listen(support::mark);
  server.start();
  Client first(server.url()), second(server.url());
  ASSERT_EQ(first.ask("1"), "<1>");
  ASSERT_EQ(second.ask("2"), "<2>");
  Client third(server.url());
  EXPECT_EQ(third.receive_all(), "");
  EXPECT_NE(third.end(), Client::End::kDeadline);
  EXPECT_EQ(Client(server.url(), {.from = "127.0.0.2"}).ask("x"), "<x>");
  EXPECT_EQ(Client(server.url6()).ask("y"), "<y>");
  EXPECT_EQ(server.stats().refused, 1u);
  EXPECT_TRUE(server.says("connections_per_address_max is reached, 2 of its address are open"));
  first.close();
  EXPECT_TRUE(wait_until([&] { return Client(server.url()).ask("again") == "<again>"; }));
}

TEST_P(LimitsTest, NothingReadAheadIsStillRead) {
  TestServer server(options());
  tr::ListenOptions listen;
  listen.limits.read_ahead_bytes_max = 0;
  server.listen(support::mark, listen);
  server.start();
  Client client(server.url());
  for (int i = 0; i < 10; ++i) {
    ASSERT_TRUE(client.send("1\n2\n3\n"));
    ASSERT_EQ(client.receive(12), "<1>\n<2>\n<3>\n");
  }
}

// 127.0.0.1 comes to the second one as ::ffff:127.0.0.1.
TEST_P(LimitsTest, ConnectionsPerAddressOverAllListeners) {
  tr::ServerOptions few = options();
  few.connections_per_address_max = 1;
  tr::Server server(few);
  server.listen("tcp://127.0.0.1:0", tr::lines(), support::mark);
  server.listen("tcp://:0", tr::lines(), support::mark);
  ASSERT_TRUE(server.start().ok());
  const std::string every = server.urls()[1];
  const std::string both = "tcp://127.0.0.1" + every.substr(every.rfind(':'));
  Client first(server.urls()[0]);
  ASSERT_EQ(first.ask("1"), "<1>");
  EXPECT_EQ(Client(both).receive_all(), "");
  EXPECT_EQ(Client(both, {.from = "127.0.0.2"}).ask("x"), "<x>");
  first.close();
  EXPECT_TRUE(wait_until([&] { return Client(both).ask("again") == "<again>"; }));
}

TEST_P(LimitsTest, IdleTime) {
  TestServer server(options());
  tr::ListenOptions listen;
  listen.limits.idle_time_max = 100ms;
  server.listen(support::mark, listen);
  server.start();
  Client silent(server.url()), served(server.url());
  ASSERT_EQ(served.ask("x"), "<x>");
  EXPECT_EQ(silent.receive_all(), "");
  EXPECT_EQ(silent.end(), Client::End::kEof);
  EXPECT_EQ(served.receive_all(), "");
  EXPECT_EQ(served.end(), Client::End::kEof);
  silent.close();
  served.close();
  EXPECT_TRUE(wait_until([&] { return server.closed(tr::CloseReason::kIdleTimeout) == 2; }));
}

// Silent clients hold their places for a short time only. One to whom the server speaks first is
// not silent.
TEST_P(LimitsTest, FirstByteTime) {
  struct Greeter {
    explicit Greeter(tr::Peer peer) { peer.send("hello\n"); }
    tr::Answer on_request(const tr::Request& request) { return request.own(); }
  };
  tr::ListenOptions listen;
  listen.limits.first_byte_time_max = 100ms;
  TestServer server(options()), greeter(options());
  server.listen(support::mark, listen);
  server.start();
  greeter.serve<Greeter>(listen);
  greeter.start();
  Client silent(server.url()), served(server.url()), greeted(greeter.url());
  ASSERT_EQ(served.ask("x"), "<x>");
  ASSERT_EQ(greeted.line(), "hello");
  EXPECT_EQ(silent.receive_all(), "");
  EXPECT_EQ(silent.end(), Client::End::kEof);
  silent.close();
  EXPECT_TRUE(wait_until([&] { return server.closed(tr::CloseReason::kSilentTimeout) == 1; }));
  support::let_pass(150ms);
  EXPECT_EQ(served.ask("y"), "<y>");
  EXPECT_EQ(greeted.ask("z"), "z");
}

TEST_P(LimitsTest, ARunningHandlerIsNotIdle) {
  if (is_inline()) GTEST_SKIP() << "an inline handler that blocks holds its loop";
  TestServer server(options());
  Gate gate;
  tr::ListenOptions listen;
  listen.limits.idle_time_max = 50ms;
  server.listen(
      [gate](const tr::Request& request) -> tr::Answer {
        gate.wait();
        return request.own();
      },
      listen);
  server.start();
  const Gate::Opener opener(gate);
  Client client(server.url());
  ASSERT_TRUE(client.send("x\n"));
  EXPECT_FALSE(client.readable_within(200ms));
  gate.open();
  EXPECT_EQ(client.line(), "x");
}

TEST_P(LimitsTest, RequestTime) {
  TestServer server(options());
  tr::ListenOptions listen;
  listen.limits.request_time_max = 100ms;
  server.listen(support::mark, listen);
  server.start();
  Client dripping(server.url()), whole(server.url());
  ASSERT_TRUE(dripping.send("never"));
  EXPECT_TRUE(wait_until([&] {
    dripping.send(".");  // progress does not help
    return dripping.readable_within(5ms);
  }));
  EXPECT_EQ(dripping.receive_all(), "");
  EXPECT_TRUE(wait_until([&] { return server.closed(tr::CloseReason::kRequestTimeout) == 1; }));
  EXPECT_EQ(server.stats().partial_requests_dropped, 1u);
  EXPECT_EQ(whole.ask("x"), "<x>");
}

TEST_P(LimitsTest, WriteTime) {
  TestServer server(options());
  tr::ListenOptions listen;
  listen.limits.write_time_max = 150ms;
  server.listen(
      [](const tr::Request& request) -> tr::Answer {
        return request.text() == "large" ? tr::Answer(std::string(16 << 20, 'x'))
                                         : tr::Answer(request.text());
      },
      listen);
  server.start();
  Client reader(server.url()), stuck(server.url(), {.receive_buffer_bytes = 4096});
  ASSERT_TRUE(stuck.send("large\n"));
  EXPECT_TRUE(wait_until([&] { return server.closed(tr::CloseReason::kWriteTimeout) == 1; }));
  EXPECT_EQ(reader.ask("x"), "x");
}

// A client that takes its replies slowly, but steadily, has not failed to send its request: it is
// we who do not read on.
TEST_P(LimitsTest, RequestTimeStandsStillWhileWeDoNotRead) {
  TestServer server(options());
  tr::ListenOptions listen;
  listen.limits.request_time_max = 100ms;
  listen.limits.write_bytes_high = 8 << 10;
  listen.limits.write_bytes_low = 4 << 10;
  server.listen(
      [](const tr::Request& request) -> tr::Answer {
        return request.text() == "large" ? tr::Answer(std::string(8 << 20, 'x'))
                                         : tr::Answer(request.own());
      },
      listen);
  server.start();
  Client client(server.url(), {.receive_buffer_bytes = 4096});
  ASSERT_TRUE(client.send("large\nlast re"));
  ASSERT_TRUE(client.wait_all_arrived());
  ASSERT_TRUE(client.send("quest\n"));
  support::let_pass(300ms);
  EXPECT_EQ(client.line().size(), size_t{8 << 20});
  EXPECT_EQ(client.line(), "last request");
}

TEST_P(LimitsTest, HandlerTime) {
  if (is_inline()) GTEST_SKIP() << "an inline handler that blocks holds its loop";
  TestServer server(options());
  Gate gate;
  server.listen(
      [gate](const tr::Request& request) -> tr::Answer {
        if (request.text() == "wait") gate.wait();
        return request.own();
      },
      {.handler_time_max = 50ms});
  server.start();
  const Gate::Opener opener(gate);
  Client client(server.url());
  EXPECT_EQ(client.ask("wait"), "ERR deadline exceeded");
  EXPECT_EQ(server.stats().handler_deadlines, 1u);
  ASSERT_TRUE(client.send("next\n"));
  EXPECT_FALSE(client.readable_within(20ms));  // serial: not before the handler has returned
  gate.open();
  EXPECT_EQ(client.line(), "next");
}

TEST_P(LimitsTest, FrameBytes) {
  TestServer server(options());
  tr::ListenOptions listen;
  listen.limits.frame_bytes_max = 200'000;
  server.listen(
      [](const tr::Request& request) -> tr::Answer {
        return std::to_string(request.text().size());
      },
      listen);
  server.start();
  Client client(server.url());
  const std::string input = std::string(200'000, 'a') + "\n" + std::string(300'000, 'b') + "\nc\n";
  EXPECT_EQ(client.converse(input, true), "200000\nERR the line is too long\n1\n");
}

// More clients that do not read than the budget has room for: they are held back or closed, and
// one that reads is served.
TEST_P(LimitsTest, BufferBytes) {
  tr::ServerOptions small = options();
  small.buffer_bytes_max = 4 << 20;
  TestServer server(small);
  server.listen([](const tr::Request& request) -> tr::Answer { return request.text(); }, {},
                tr::bytes());
  server.start();
  std::vector<Client> slow;
  const std::string flood(2 << 20, 'x');
  for (int i = 0; i < 12; ++i) {
    slow.emplace_back(server.url(), Client::Options{.receive_buffer_bytes = 4096});
    slow.back().send_until_full(flood, 2ms);
    if (server.stats().accept_pauses > 0) break;
  }
  EXPECT_LE(server.stats().buffer_bytes_peak, small.buffer_bytes_max + (2 << 20));  // fixed ones
  slow.clear();
  Client client(server.url());
  ASSERT_TRUE(client.send("hello"));
  EXPECT_EQ(client.receive(5), "hello");
}

class InFlightTest : public support::ServerTest {
 protected:
  static constexpr uint32_t kMax = 4;
  static constexpr int kRequests = 24;

  static tr::ListenOptions limited(std::chrono::nanoseconds handler_time_max) {
    tr::ListenOptions listen{.handler_time_max = handler_time_max,
                             .ordering = tr::Ordering::kPipelined};
    listen.limits.in_flight_max = kMax;
    return listen;
  }
  static void send_all(Client& client) {
    std::string requests;
    for (int i = 0; i < kRequests; ++i) requests += "x\n";
    ASSERT_TRUE(client.send(requests));
  }
};

// A handler goes on counting when its deadline has answered for it.
TEST_P(InFlightTest, IsOfHandlersWhoseDeadlineHasPassed) {
  TestServer server(options());
  Gate gate;
  server.listen(
      [gate](const tr::Request& request) -> tr::Answer {
        gate.wait();
        return request.own();
      },
      limited(5ms));
  server.start();
  const Gate::Opener opener(gate);
  Client client(server.url());
  ASSERT_NO_FATAL_FAILURE(send_all(client));
  uint64_t sent = kRequests;
  // On a busy machine some may expire before they are started: others, then.
  ASSERT_TRUE(wait_until([&] {
    if (gate.arrived() < kMax && server.stats().handler_deadlines == sent) {
      send_all(client);
      sent += kRequests;
    }
    return gate.arrived() >= kMax;
  }));
  for (uint32_t i = 0; i < kMax; ++i) ASSERT_EQ(client.line(), "ERR deadline exceeded");
  // Time for handlers that must not start. why: there is no event to wait for when they do not.
  support::let_pass(20ms);
  EXPECT_EQ(gate.arrived(), kMax);
  gate.open();
  for (uint64_t i = kMax; i < sent; ++i) ASSERT_NE(client.line(), "");
}

// And when its Reply was sent by another thread while it runs on.
TEST_P(InFlightTest, IsOfHandlersWhoseReplyHasLeft) {
  TestServer server(options());
  Gate gate;
  std::mutex mutex;
  std::vector<tr::Reply> replies;
  server.listen(
      [&](const tr::Request&, tr::Reply reply) {
        {
          const std::lock_guard lock(mutex);
          replies.push_back(std::move(reply));
        }
        gate.wait();
      },
      limited(0ns));
  server.start();
  const Gate::Opener opener(gate);
  const auto answer_all = [&] {
    const std::lock_guard lock(mutex);
    for (tr::Reply& reply : replies) std::move(reply).send("y");
    replies.clear();
  };
  Client client(server.url());
  ASSERT_NO_FATAL_FAILURE(send_all(client));
  ASSERT_TRUE(wait_until([&] { return gate.arrived() >= kMax; }));
  answer_all();
  for (uint32_t i = 0; i < kMax; ++i) ASSERT_EQ(client.line(), "y");
  support::let_pass(20ms);  // why: as above
  EXPECT_EQ(gate.arrived(), kMax);
  gate.open();
  EXPECT_TRUE(wait_until([&] {
    answer_all();
    return server.stats().replies == kRequests;
  }));
}

INSTANTIATE_TEST_SUITE_P(Setups, InFlightTest, ::testing::ValuesIn(support::blocking_setups()),
                         support::name_of);

INSTANTIATE_TEST_SUITE_P(Setups, LimitsTest, ::testing::ValuesIn(support::every_setup()),
                         support::name_of);

}  // namespace
