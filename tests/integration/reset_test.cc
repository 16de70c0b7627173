// Goal: a client that resets, at whatever moment, costs its own connection and nothing else.
// Method: SO_LINGER 0 at each moment of a connection's life; the books balance at the end of every
// test, and another client is served before and after.
#include <atomic>
#include <string>
#include <thread>
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

constexpr size_t kLargeBytes = 8 << 20;  // more than both sockets hold

class ResetTest : public support::ServerTest {
 protected:
  ResetTest() : server_(options()), opener_(gate_) {
    auto handler = [this](const tr::Request& request) -> tr::Answer {
      if (request.text() == "wait") {
        gate_.wait();
        saw_cancelled_ = request.cancelled().reason() == tr::CancelReason::kPeerGone;
      }
      if (request.text() == "large") return std::string(kLargeBytes, 'x');
      return request.own();
    };
    server_.listen(handler, {.ordering = tr::Ordering::kPipelined});
    server_.start();
  }

  bool is_inline() const { return GetParam().dispatch == tr::Dispatch::kInline; }
  void expect_resets(uint64_t count) {
    EXPECT_TRUE(wait_until([&] { return server_.closed(tr::CloseReason::kReset) == count; }))
        << server_.closed(tr::CloseReason::kReset);
  }
  void expect_serves() { EXPECT_EQ(Client(server_.url6()).ask("alive"), "alive"); }

  Gate gate_;
  std::atomic<bool> saw_cancelled_{false};
  TestServer server_;
  Gate::Opener opener_;
};

TEST_P(ResetTest, Idle) {
  Client client(server_.url());
  ASSERT_EQ(client.ask("a"), "a");
  client.reset();
  expect_resets(1);
  expect_serves();
}

TEST_P(ResetTest, BeforeItIsAccepted) {
  for (int i = 0; i < 100; ++i) Client(server_.url()).reset();
  expect_serves();
  EXPECT_TRUE(wait_until([&] { return server_.stats().live == 0; }));
}

TEST_P(ResetTest, MidFrame) {
  Client client(server_.url());
  ASSERT_EQ(client.ask("a"), "a");
  ASSERT_TRUE(client.send("half a li"));
  ASSERT_TRUE(wait_until([&] { return server_.stats().bytes_in == 11; }));
  client.reset();
  expect_resets(1);
  EXPECT_EQ(server_.stats().partial_requests_dropped, 1u);
  expect_serves();
}

TEST_P(ResetTest, HandlerRunning) {
  if (is_inline()) GTEST_SKIP() << "an inline handler that blocks holds its loop";
  Client client(server_.url());
  ASSERT_TRUE(client.send("wait\nnever answered\n"));
  ASSERT_TRUE(wait_until([&] { return gate_.arrived() == 1; }));
  expect_serves();  // so the loop has been taken
  client.reset();
  expect_resets(1);
  EXPECT_TRUE(wait_until([&] {  // the handler holds the slot of a connection that has gone
    const tr::Stats now = server_.stats();
    return now.live == 0 && now.slots_made == now.slots_gone + 1;
  }));
  expect_serves();
  gate_.open();
  EXPECT_TRUE(wait_until([&] {
    const tr::Stats now = server_.stats();
    return now.slots_made == now.slots_gone;
  }));
  EXPECT_TRUE(saw_cancelled_);
}

TEST_P(ResetTest, ReplyQueuedBehindAnEarlierOne) {
  if (is_inline()) GTEST_SKIP() << "an inline handler that blocks holds its loop";
  Client client(server_.url());
  ASSERT_TRUE(client.send("wait\nlarge\nsmall\n"));
  ASSERT_TRUE(wait_until([&] {
    return gate_.arrived() == 1 && server_.stats().requests == 3 &&
           server_.stats().buffer_bytes_now > kLargeBytes;
  }));
  client.reset();
  expect_resets(1);
  EXPECT_TRUE(wait_until([&] { return server_.stats().buffer_bytes_now < kLargeBytes; }));
  gate_.open();
  expect_serves();
}

TEST_P(ResetTest, ReplyHalfWritten) {
  Client client(server_.url(), {.receive_buffer_bytes = 4096});
  ASSERT_TRUE(client.send("large\nlarge\n"));
  ASSERT_EQ(client.receive(10'000).size(), 10'000u);
  ASSERT_TRUE(wait_until([&] { return server_.stats().buffer_bytes_now > kLargeBytes / 8; }));
  client.reset();
  expect_resets(1);
  expect_serves();
}

TEST_P(ResetTest, AfterItsOwnFin) {
  Client client(server_.url(), {.receive_buffer_bytes = 4096});
  ASSERT_TRUE(client.send("large\n"));
  client.shutdown_write();
  ASSERT_EQ(client.receive(10'000).size(), 10'000u);
  client.reset();
  expect_resets(1);
  expect_serves();
}

TEST_P(ResetTest, DuringDrain) {
  if (is_inline()) GTEST_SKIP() << "an inline handler that blocks holds its loop";
  Client waiting(server_.url()), reading(server_.url(), {.receive_buffer_bytes = 4096});
  Client idle(server_.url());
  ASSERT_EQ(idle.ask("a"), "a");
  ASSERT_TRUE(waiting.send("wait\n"));
  ASSERT_TRUE(reading.send("large\n"));
  ASSERT_EQ(reading.receive(10'000).size(), 10'000u);
  ASSERT_TRUE(wait_until([&] { return gate_.arrived() == 1; }));
  std::thread drain([this] { EXPECT_TRUE(server_.drain().empty()); });
  EXPECT_EQ(idle.receive_all(), "");  // its FIN: the drain is under way
  waiting.reset();
  reading.reset();
  idle.reset();
  // select does not hear of a client that is not read while its handler runs.
  const uint64_t unheard = GetParam().driver == tr::DriverKind::kSelect ? 1 : 0;
  EXPECT_TRUE(wait_until([&] { return server_.stats().live == unheard; }));
  gate_.open();
  drain.join();
}

TEST_P(ResetTest, AllMomentsAtOnce) {
  const int rounds = support::scaled(60);
  std::vector<std::thread> threads;
  for (int thread = 0; thread < 4; ++thread) {
    threads.emplace_back([&, thread] {
      for (int i = 0; i < rounds; ++i) {
        Client client(server_.url(), {.receive_buffer_bytes = 4096});
        std::string input;
        for (int k = 0; k < i; ++k) input += "line\n";
        if (i % 3 == thread % 3) input += "large\n";
        client.send(input);
        if (i % 2 == 0) client.receive(static_cast<size_t>(i) * 3);
        client.reset();
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  expect_serves();
}

INSTANTIATE_TEST_SUITE_P(Setups, ResetTest, ::testing::ValuesIn(support::every_setup()),
                         support::name_of);

}  // namespace
