// Goal: who waits for something that is not ours is interrupted when nobody waits for the reply any
// more. Method: handlers that wait at a pipe which nobody writes to, by wait_readable or by a poll
// of their own that a stop callback ends; clients that reset, deadlines, drains.
#include <poll.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "support/client.h"
#include "support/test_server.h"
#include "trireme/blocking.h"

namespace {

using support::Client;
using support::TestServer;
using support::wait_until;
namespace tr = trireme;
using namespace std::chrono_literals;

struct Pipe {
  Pipe() { EXPECT_EQ(::pipe(ends.data()), 0); }
  ~Pipe() {
    ::close(ends[0]);
    ::close(ends[1]);
  }
  Pipe(const Pipe&) = delete;
  Pipe& operator=(const Pipe&) = delete;
  void write() const { EXPECT_EQ(::write(ends[1], "x", 1), 1); }
  std::array<int, 2> ends{-1, -1};
};

class WaitReadyTest : public support::ServerTest {
 protected:
  WaitReadyTest() : server_(options()) {}
  bool is_inline() const { return GetParam().dispatch == tr::Dispatch::kInline; }
  void listen(tr::ListenOptions options = {}) {
    server_.listen(
        [this](const tr::Request& request) -> tr::Answer {
          if (request.text() == "quick") return "quick";
          ++begun_;
          const tr::WaitResult result = tr::wait_readable(pipe_.ends[0], 1h);
          reason_ = static_cast<int>(request.cancelled().reason());
          results_[static_cast<size_t>(result)]++;
          return "ready";
        },
        std::move(options));
    server_.start();
  }
  std::atomic<int>& results(tr::WaitResult which) { return results_[static_cast<size_t>(which)]; }

  Pipe pipe_;
  std::atomic<int> begun_{0}, reason_{0};
  std::array<std::atomic<int>, 3> results_{};
  TestServer server_;
};

TEST_P(WaitReadyTest, EndsWhenTheDescriptorIsReady) {
  listen();
  Client client(server_.url());
  ASSERT_TRUE(client.send("x\n"));
  ASSERT_TRUE(wait_until([&] { return begun_ == 1; }));
  pipe_.write();
  EXPECT_EQ(client.line(), "ready");
  EXPECT_EQ(results(tr::WaitResult::kReady), 1);
}

TEST_P(WaitReadyTest, WaitsForTheLongestTimeOfAnyUnit) {
  server_.listen(
      [](const tr::Request&) -> tr::Answer {
        const Pipe pipe;
        const auto result = tr::wait_readable(pipe.ends[0], std::chrono::hours::max());
        return result == tr::WaitResult::kCancelled ? "cancelled" : "over at once";
      },
      {.handler_time_max = 20ms});
  server_.start();
  EXPECT_EQ(Client(server_.url()).ask("x"), "ERR deadline exceeded");
}

TEST_P(WaitReadyTest, GivesItsLoopAwayFirst) {
  listen();
  if (is_inline()) return;
  Client client(server_.url());
  ASSERT_TRUE(client.send("x\n"));
  ASSERT_TRUE(wait_until([&] { return begun_ == 1; }));
  Client other(server_.url());
  EXPECT_EQ(other.ask("quick"), "quick");
  pipe_.write();
  EXPECT_EQ(client.line(), "ready");
}

TEST_P(WaitReadyTest, EndsWhenTheClientIsGone) {
  listen();
  if (is_inline()) return;  // nobody would see the client leave
  Client client(server_.url());
  ASSERT_TRUE(client.send("x\n"));
  ASSERT_TRUE(wait_until([&] { return begun_ == 1; }));
  client.reset();
  EXPECT_TRUE(wait_until([&] { return results(tr::WaitResult::kCancelled) == 1; }));
  EXPECT_EQ(reason_, static_cast<int>(tr::CancelReason::kPeerGone));
}

TEST_P(WaitReadyTest, EndsAtTheDeadlineUnderEveryPolicy) {
  listen({.handler_time_max = 20ms});
  Client client(server_.url());
  EXPECT_EQ(client.ask("x"), "ERR deadline exceeded");
  EXPECT_TRUE(wait_until([&] { return results(tr::WaitResult::kCancelled) == 1; }));
  EXPECT_EQ(reason_, static_cast<int>(tr::CancelReason::kDeadline));
}

TEST_P(WaitReadyTest, EndsWhenTheServerDrains) {
  listen();
  if (is_inline()) return;
  Client client(server_.url());
  ASSERT_TRUE(client.send("x\n"));
  ASSERT_TRUE(wait_until([&] { return begun_ == 1; }));
  std::thread drain([&] { server_.drain(); });
  EXPECT_EQ(client.receive_all(), "ready\n");
  client.close();
  drain.join();
  EXPECT_EQ(results(tr::WaitResult::kCancelled), 1);
}

TEST_P(WaitReadyTest, ManyThatComeAndGo) {
  listen();
  if (is_inline()) return;
  const int count = support::scaled(60);
  for (int i = 0; i < count; ++i) {
    Client client(server_.url());
    ASSERT_TRUE(client.send("x\n"));
    if (i % 2 == 0) {
      ASSERT_TRUE(wait_until([&] { return begun_ > 0; }));
    }
    client.reset();
  }
  EXPECT_TRUE(wait_until([&] { return results(tr::WaitResult::kCancelled) == begun_; }));
}

class StopCallbackTest : public support::ServerTest {};

// As PQcancel would: the callback ends what the handler waits for.
TEST_P(StopCallbackTest, InterruptsAHandlerThatWaitsByItself) {
  if (GetParam().dispatch == tr::Dispatch::kInline) return;
  Pipe pipe;
  std::atomic<int> begun{0}, called{0}, interrupted{0};
  std::atomic<std::thread::id> caller{}, handler{};
  TestServer server(options());
  server.listen([&](const tr::Request& request) -> tr::Answer {
    const std::stop_callback callback(request.stop_token(), [&] {
      caller = std::this_thread::get_id();
      ++called;
      pipe.write();
    });
    handler = std::this_thread::get_id();
    ++begun;
    tr::blocking();
    pollfd set{pipe.ends[0], POLLIN, 0};
    if (::poll(&set, 1, -1) == 1) ++interrupted;
    return request.own();
  });
  server.start();
  Client client(server.url());
  ASSERT_TRUE(client.send("x\n"));
  ASSERT_TRUE(wait_until([&] { return begun == 1; }));
  client.reset();
  EXPECT_TRUE(wait_until([&] { return interrupted == 1; }));
  EXPECT_EQ(called, 1);
  EXPECT_NE(caller.load(), handler.load());
}

// A callback may block: it is handler code, and the loop goes on.
TEST_P(StopCallbackTest, OfAKeptReplyRunsAsAJob) {
  std::mutex mutex;
  std::optional<tr::Reply> kept;
  std::optional<std::stop_callback<std::function<void()>>> callback;
  std::atomic<int> begun{0}, called{0};
  TestServer server(options());
  server.listen([&](const tr::Request& request, tr::Reply reply) {
    if (request.text() == "quick") return std::move(reply).send("quick");
    const std::lock_guard lock(mutex);
    kept.emplace(std::move(reply));
    callback.emplace(request.stop_token(), [&] {
      tr::blocking();  // loop code must not
      ++called;
    });
    ++begun;
  });
  server.start();
  Client client(server.url());
  ASSERT_TRUE(client.send("keep\n"));
  ASSERT_TRUE(wait_until([&] { return begun == 1; }));
  EXPECT_FALSE(kept->cancelled().stop_requested());
  client.reset();
  EXPECT_TRUE(wait_until([&] { return called == 1; }));
  EXPECT_TRUE(kept->cancelled().stop_requested());
  Client other(server.url());
  EXPECT_EQ(other.ask("quick"), "quick");
  callback.reset();
  kept.reset();
}

// All threads that run handlers wait for what only their stop callbacks end.
class BusyStopsTest : public support::ServerTest {
 protected:
  BusyStopsTest() : server_(few(options())) {}
  static tr::ServerOptions few(tr::ServerOptions options) {
    options.data_workers = 2;
    return options;
  }
  void begin(tr::ListenOptions listen) {
    server_.listen(
        [this](const tr::Request& request) -> tr::Answer {
          const Pipe pipe;
          const std::stop_callback callback(request.stop_token(), [&] { pipe.write(); });
          ++begun_;
          pollfd set{pipe.ends[0], POLLIN, 0};
          if (::poll(&set, 1, 20'000) == 1) ++interrupted_;
          ++returned_;
          return "done";
        },
        std::move(listen));
    server_.start();
    for (int i = 0; i < 10; ++i) {
      clients_.emplace_back(server_.url());
      ASSERT_TRUE(clients_.back().send("x\n"));
    }
    ASSERT_TRUE(wait_until([&] { return server_.stats().requests == 10 && begun_ >= 2; }));
  }
  bool all_are_interrupted() {
    return wait_until([&] { return returned_ == begun_; }) && interrupted_ == begun_;
  }
  bool is_inline() const { return GetParam().dispatch == tr::Dispatch::kInline; }

  std::atomic<int> begun_{0}, returned_{0}, interrupted_{0};
  std::vector<Client> clients_;
  TestServer server_;
};

TEST_P(BusyStopsTest, FireAtTheDeadline) {
  if (is_inline()) return;
  begin({.handler_time_max = 100ms});
  for (Client& client : clients_) EXPECT_EQ(client.line(), "ERR deadline exceeded");
  EXPECT_TRUE(all_are_interrupted());
}

TEST_P(BusyStopsTest, FireWhenTheClientsAreGone) {
  if (is_inline()) return;
  begin({});
  for (Client& client : clients_) client.reset();
  EXPECT_TRUE(all_are_interrupted());
}

TEST_P(BusyStopsTest, FireInADrain) {
  if (is_inline()) return;
  begin({});
  std::thread drain([&] { EXPECT_TRUE(server_.drain().empty()); });
  for (Client& client : clients_) {
    EXPECT_EQ(client.receive_all(), "done\n");
    client.close();
  }
  drain.join();
  EXPECT_EQ(interrupted_, begun_);
}

TEST_P(StopCallbackTest, BesideClientsThatComeAndGo) {
  std::atomic<int> called{0}, handled{0};
  TestServer server(options());
  server.listen(
      [&](const tr::Request& request) -> tr::Answer {
        const std::stop_callback callback(request.stop_token(), [&] { ++called; });
        if (request.text() == "wait") tr::wait_for(1ms);
        ++handled;
        return request.own();
      },
      {.handler_time_max = 2ms});
  server.start();
  for (int round = 0; round < support::scaled(100); ++round) {
    Client client(server.url());
    ASSERT_TRUE(client.send("a\nwait\nb\nwait\n"));
    if (round % 2 == 0) {
      client.reset();
    } else {
      client.converse("", true);
    }
  }
  EXPECT_GT(handled, 0);
  EXPECT_LE(called, handled + 1);
}

INSTANTIATE_TEST_SUITE_P(Setups, WaitReadyTest, ::testing::ValuesIn(support::every_setup()),
                         support::name_of);
INSTANTIATE_TEST_SUITE_P(Setups, BusyStopsTest, ::testing::ValuesIn(support::every_setup()),
                         support::name_of);
INSTANTIATE_TEST_SUITE_P(Setups, StopCallbackTest, ::testing::ValuesIn(support::every_setup()),
                         support::name_of);

}  // namespace
