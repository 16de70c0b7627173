// The defect: a request whose client had gone, or whose deadline had passed, while it waited in the
// ready queue was run all the same, and kept a data worker from those that were still waited for.
// Method: the one data worker is at a gate; behind it wait requests of clients that leave, or whose
// deadline passes, on a clock of the test's where the time matters. They must be gone before the
// gate opens, and must not have run after it.
#include <atomic>
#include <string>
#include <string_view>
#include <vector>

#include "runtime/threads/threads.h"
#include "support/client.h"
#include "support/gate.h"
#include "support/hand_clock.h"
#include "support/test_server.h"

namespace {

using support::Client;
using support::Gate;
using support::TestServer;
using support::wait_until;
namespace tr = trireme;
using namespace std::chrono_literals;

struct Seen {
  Gate gate;
  std::atomic<int> run{0}, opened{0}, closed{0};

  tr::Answer handle(const tr::Request& request) {
    if (request.text() == "wait") gate.wait();
    if (request.text() == "run") ++run;
    return request.own();
  }
};

struct Waiting {
  static constexpr bool concurrent = true;
  explicit Waiting(Seen& notes) : seen(notes) { ++seen.opened; }
  tr::Answer on_request(const tr::Request& request) { return seen.handle(request); }
  void on_close(tr::CloseReason) { ++seen.closed; }
  Seen& seen;
};

class RequestNobodyWaitsFor : public support::ServerTest {
 protected:
  tr::ServerOptions one_data_worker() const {
    tr::ServerOptions one = options();
    one.data_workers = 1;
    one.stall_reports_per_minute_max = 0;
    return one;
  }
};

constexpr size_t kVictims = 3, kRequests = 3;  // some in one job

void send_all(std::vector<Client>& victims) {
  std::string requests;
  for (size_t i = 0; i < kRequests; ++i) requests += "run\n";
  for (Client& victim : victims) ASSERT_TRUE(victim.send(requests));
}

// All of them, and what others have sent.
bool are_read(TestServer& server, size_t others_bytes) {
  const size_t bytes = kVictims * kRequests * std::string_view("run\n").size() + others_bytes;
  return wait_until([&] { return server.stats().bytes_in == bytes; });
}

TEST_P(RequestNobodyWaitsFor, IsForgottenWhenItsClientResets) {
  for (const tr::Ordering ordering : {tr::Ordering::kSerial, tr::Ordering::kPipelined}) {
    Seen seen;
    TestServer server(one_data_worker());
    server.listen([&](const tr::Request& request) { return seen.handle(request); },
                  {.ordering = ordering});
    server.start();
    const Gate::Opener opener(seen.gate);
    Client blocker(server.url());
    std::vector<Client> victims;
    for (size_t i = 0; i < kVictims; ++i) victims.emplace_back(server.url());
    ASSERT_TRUE(blocker.send("wait\n"));
    ASSERT_TRUE(wait_until([&] { return seen.gate.arrived() == 1; }));
    ASSERT_NO_FATAL_FAILURE(send_all(victims));
    ASSERT_TRUE(are_read(server, std::string_view("wait\n").size()));
    for (Client& victim : victims) victim.reset();
    // All that is theirs has gone while the data worker has not moved.
    EXPECT_TRUE(wait_until([&] { return server.stats().slots_gone == kVictims; }));
    EXPECT_EQ(seen.gate.arrived(), 1u);
    seen.gate.open();
    EXPECT_EQ(blocker.line(), "wait");
    EXPECT_EQ(blocker.ask("x"), "x");
    EXPECT_EQ(seen.run, 0);
  }
}

TEST_P(RequestNobodyWaitsFor, IsForgottenAtItsDeadline) {
  for (const tr::Ordering ordering : {tr::Ordering::kSerial, tr::Ordering::kPipelined}) {
    Seen seen;
    TestServer server(one_data_worker());
    server.listen([&](const tr::Request& request) { return seen.handle(request); },
                  {.handler_time_max = 10ms, .ordering = ordering});
    server.start();
    const Gate::Opener opener(seen.gate);
    Client blocker(server.url());
    std::vector<Client> victims;
    for (size_t i = 0; i < kVictims; ++i) victims.emplace_back(server.url());
    uint64_t expired = 1;
    ASSERT_TRUE(blocker.send("wait\n"));
    // On a busy machine it may expire before it comes to the gate: again, then.
    ASSERT_TRUE(wait_until([&] {
      if (server.stats().handler_deadlines >= expired && seen.gate.arrived() == 0) {
        ++expired;
        return !blocker.send("wait\n");
      }
      return seen.gate.arrived() == 1;
    }));
    ASSERT_NO_FATAL_FAILURE(send_all(victims));
    for (Client& victim : victims) {
      for (size_t i = 0; i < kRequests; ++i) EXPECT_EQ(victim.line(), "ERR deadline exceeded");
    }
    EXPECT_GE(server.stats().handler_deadlines, kVictims * kRequests);
    seen.gate.open();
    EXPECT_EQ(seen.run, 0);
    // Serial connections have no handler to wait for.
    EXPECT_TRUE(wait_until([&] { return victims[0].ask("x") == "x"; }));
    EXPECT_EQ(seen.run, 0);
  }
}

// Sessions are told of their end, and so are those whose request has been forgotten.
TEST_P(RequestNobodyWaitsFor, LeavesItsSessionToBeClosed) {
  Seen seen;
  TestServer server(one_data_worker());
  server.serve<Waiting>({.ordering = tr::Ordering::kPipelined}, seen);
  server.start();
  const Gate::Opener opener(seen.gate);
  Client blocker(server.url());
  std::vector<Client> victims;
  for (size_t i = 0; i < kVictims; ++i) victims.emplace_back(server.url());
  ASSERT_EQ(blocker.ask("x"), "x");
  for (Client& victim : victims) ASSERT_EQ(victim.ask("x"), "x");
  ASSERT_TRUE(blocker.send("wait\n"));
  ASSERT_TRUE(wait_until([&] { return seen.gate.arrived() == 1; }));
  ASSERT_NO_FATAL_FAILURE(send_all(victims));
  ASSERT_TRUE(are_read(server, std::string_view("x\nwait\n").size() + 2 * kVictims));
  for (Client& victim : victims) victim.reset();
  ASSERT_TRUE(wait_until([&] { return server.closed(tr::CloseReason::kReset) == kVictims; }));
  seen.gate.open();
  EXPECT_EQ(blocker.line(), "wait");
  EXPECT_TRUE(wait_until([&] { return seen.closed == static_cast<int>(kVictims); }));
  EXPECT_EQ(seen.opened, static_cast<int>(kVictims) + 1);
  EXPECT_EQ(seen.run, 0);
}

// What stands behind an answer that ends the connection is never answered, so it is not run.
TEST_P(RequestNobodyWaitsFor, IsForgottenBehindTheLastAnswer) {
  Gate gate;
  std::atomic<int> run{0};
  TestServer server(one_data_worker());
  server.listen(
      [&](const tr::Request& request) -> tr::Answer {
        if (request.text() == "quit") {
          gate.wait();
          return tr::Answer("bye").close_after();
        }
        ++run;
        return request.own();
      },
      {.ordering = tr::Ordering::kPipelined, .dispatch = tr::Dispatch::kWorkers});
  server.start();
  const Gate::Opener opener(gate);
  Client client(server.url());
  ASSERT_TRUE(client.send("quit\n"));
  ASSERT_TRUE(wait_until([&] { return gate.arrived() == 1; }));
  ASSERT_TRUE(client.send("run\nrun\nrun\n"));
  ASSERT_TRUE(wait_until([&] { return server.stats().requests == 4; }));
  gate.open();
  EXPECT_EQ(client.receive_all(), "bye\n");
  client.close();
  EXPECT_TRUE(wait_until([&] { return server.stats().slots_gone == 1; }));
}

INSTANTIATE_TEST_SUITE_P(Setups, RequestNobodyWaitsFor,
                         ::testing::ValuesIn(support::blocking_setups()), support::name_of);

// The loop sleeps and does not know yet that the time is over: the data worker sees it by itself.
TEST(RequestNobodyWaitsForAlone, IsNotStartedByADataWorkerThatComesTooLate) {
  support::HandClock clock;
  const tr::Platform platform{tr::real_platform().kernel, clock, tr::real_platform().threads, 0};
  Seen seen;
  tr::Server server({.io_workers = 1,
                     .data_workers = 1,
                     .dispatch = tr::Dispatch::kWorkers,
                     .log = [](tr::LogLevel, std::string_view) {}},
                    platform);
  tr::ListenOptions listen{.handler_time_max = 1h};
  listen.limits.idle_time_max = 0h;  // the clock jumps
  server.listen(
      "tcp://127.0.0.1:0", tr::lines(),
      [&](const tr::Request& request) { return seen.handle(request); }, listen);
  ASSERT_TRUE(server.start().ok());
  const Gate::Opener opener(seen.gate);
  Client blocker(server.urls()[0]), victim(server.urls()[0]);
  ASSERT_TRUE(blocker.send("wait\n"));
  ASSERT_TRUE(wait_until([&] { return seen.gate.arrived() == 1; }));
  ASSERT_TRUE(victim.send("run\n"));
  ASSERT_TRUE(wait_until([&] { return server.stats().requests == 2; }));
  clock.pass(2h);
  seen.gate.open();
  EXPECT_EQ(victim.line(), "ERR deadline exceeded");
  EXPECT_EQ(seen.run, 0);
  EXPECT_EQ(victim.ask("x"), "x");
}

}  // namespace
