// Goal: what keeps a loop from its clients is told apart (a handler that waits, one that computes,
// a codec), moved or not moved accordingly, and said in the log with the place where it waits.
// Method: handlers at a gate; CPU clocks as the test tells them; the log.
#include <string>

#include "support/client.h"
#include "support/gate.h"
#include "support/lines_codec.h"
#include "support/test_server.h"
#include "support/told_threads.h"
#ifdef TRIREME_HAS_STACKS
#include "trireme/stacks.h"
#endif

// Names that must come up in reports: exported, and never inlined.
extern "C" __attribute__((noinline)) void handler_that_waits_at_the_gate(
    const support::Gate& gate) {
  gate.wait();
  asm volatile("");  // keeps the call from becoming a jump
}
extern "C" __attribute__((noinline)) void codec_that_waits_at_the_gate(const support::Gate& gate) {
  gate.wait();
  asm volatile("");
}

namespace {

using support::Client;
using support::Gate;
using support::TestServer;
using support::ToldThreads;
using support::wait_until;
namespace tr = trireme;
using namespace std::chrono_literals;

bool has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

tr::ServerOptions with_stacks(tr::ServerOptions options) {
#ifdef TRIREME_HAS_STACKS
  tr::use_stacks(options);
#endif
  return options;
}

class StallTest : public ::testing::TestWithParam<tr::Dispatch> {};

TEST(StallReport, NamesTheHandlerThatLostItsLoop) {
  TestServer server(with_stacks(
      {.io_workers = 1, .dispatch = tr::Dispatch::kAdaptive, .log_level = tr::LogLevel::kDebug}));
  Gate gate;
  server.listen(
      [gate](const tr::Request& request) -> tr::Answer {
        if (request.text() == "wait") handler_that_waits_at_the_gate(gate);
        return request.own();
      },
      {.name = "lookup", .pinned_kinds = support::pinned_to_the_loop().pinned_kinds});
  server.start();
  const Gate::Opener opener(gate);
  Client client(server.url());
  ASSERT_TRUE(client.send("wait\n"));
  if (support::kForcedHandOver) return;  // asked for: nothing to report
  ASSERT_TRUE(wait_until([&] { return server.stats().stall_reports == 1; }));
  ASSERT_TRUE(wait_until([&] { return has(server.log(), "hand-over: "); }));
  const std::string log = server.log();
  EXPECT_FALSE(has(log, "stall")) << log;
  EXPECT_TRUE(has(log, "a handler of 'lookup', kind 0, for 127.0.0.1:" +
                           std::to_string(client.port()) + " blocks on thread "))
      << log;
  EXPECT_TRUE(has(log, "a spare thread has taken its loop io-0")) << log;
#ifdef TRIREME_HAS_STACKS
  EXPECT_TRUE(has(log, "handler_that_waits_at_the_gate")) << log;
#endif
}

// What adaptive dispatch is for is not worth a line, and takes none from the stalls.
TEST(StallReport, SaysNothingOfHandOversUnlessAsked) {
  TestServer server(
      {.io_workers = 1, .dispatch = tr::Dispatch::kAdaptive, .linger_time_max = 10ms});
  Gate gate;
  server.listen(
      [gate](const tr::Request& request) -> tr::Answer {
        gate.wait();
        return request.own();
      },
      support::pinned_to_the_loop());
  server.start();
  const Gate::Opener opener(gate);
  Client client(server.url());
  ASSERT_TRUE(client.send("wait\n"));
  ASSERT_TRUE(wait_until([&] { return server.stats().hand_overs == 1; }));
  ASSERT_TRUE(wait_until([&] { return Client(server.url()).connected(); }));
  gate.open();
  EXPECT_EQ(client.line(), "wait");
  server.drain();
  EXPECT_EQ(server.stats().stall_reports, 0u);
  EXPECT_EQ(server.log(), "");
}

TEST(StallReport, NamesTheHandlerThatKeepsAnInlineLoop) {
  TestServer server(
      with_stacks({.io_workers = 1, .dispatch = tr::Dispatch::kInline, .stall_time = 30ms}));
  Gate gate;
  server.listen([gate](const tr::Request& request) -> tr::Answer {
    if (request.text() == "wait") handler_that_waits_at_the_gate(gate);
    return request.own();
  });
  server.start();
  const Gate::Opener opener(gate);
  Client client(server.url());
  ASSERT_TRUE(client.send("wait\n"));
  ASSERT_TRUE(wait_until([&] { return has(server.log(), "stall: "); }));
  const std::string log = server.log();
  EXPECT_TRUE(has(log, "a handler of 'service', kind 0, for 127.0.0.1:")) << log;
  EXPECT_TRUE(has(log, " blocks on thread ")) << log;
  EXPECT_TRUE(has(log, "all clients of its loop io-0 wait")) << log;
#ifdef TRIREME_HAS_STACKS
  EXPECT_TRUE(has(log, "handler_that_waits_at_the_gate")) << log;
#endif
  EXPECT_EQ(server.stats().stalls, 1u);
  EXPECT_EQ(server.stats().hand_overs, 0u);
}

TEST(StallReport, NamesNoPlaceWithoutAReader) {
  TestServer server({.io_workers = 1, .dispatch = tr::Dispatch::kInline, .stall_time = 30ms});
  Gate gate;
  server.listen([gate](const tr::Request& request) -> tr::Answer {
    gate.wait();
    return request.own();
  });
  server.start();
  const Gate::Opener opener(gate);
  Client client(server.url());
  ASSERT_TRUE(client.send("wait\n"));
  ASSERT_TRUE(wait_until([&] { return has(server.log(), " blocks on thread "); }));
  EXPECT_FALSE(has(server.log(), "it waits in")) << server.log();
}

// Lines, by a codec that breaks the rule never to block.
class BlockingCodec final : public support::LinesCodec {
 public:
  explicit BlockingCodec(Gate gate) : gate_(std::move(gate)) {}
  tr::Frame decode(tr::DecodeState& state, std::string_view input, bool ended,
                   size_t frame_bytes_max) const override {
    if (input == "wait\n") codec_that_waits_at_the_gate(gate_);
    return LinesCodec::decode(state, input, ended, frame_bytes_max);
  }

 private:
  const Gate gate_;
};

TEST_P(StallTest, LoopCodeIsWatchedUnderEveryPolicy) {
  TestServer server(with_stacks({.io_workers = 1, .dispatch = GetParam(), .stall_time = 30ms}));
  Gate gate;
  server.listen([](const tr::Request& request) -> tr::Answer { return request.own(); },
                {.name = "framed"}, std::make_shared<BlockingCodec>(gate));
  server.start();
  const Gate::Opener opener(gate);
  Client client(server.url());
  EXPECT_EQ(client.ask("before"), "before");
  ASSERT_TRUE(client.send("wait\n"));
  ASSERT_TRUE(wait_until([&] { return has(server.log(), "the codec of 'framed' for 127.0.0.1:"); }))
      << server.log();
  const std::string log = server.log();
  EXPECT_TRUE(has(log, " blocks on thread ")) << log;
#ifdef TRIREME_HAS_STACKS
  EXPECT_TRUE(has(log, "codec_that_waits_at_the_gate")) << log;
#endif
  gate.open();
  EXPECT_EQ(client.line(), "wait");
}

TEST(StallReport, IsOffWithATimeOfZero) {
  TestServer server({.io_workers = 1, .dispatch = tr::Dispatch::kInline, .stall_time = 0ms});
  server.listen([&](const tr::Request& request) -> tr::Answer {
    const uint64_t before = server.stats().stalls;
    EXPECT_TRUE(wait_until([&] { return server.stats().stalls > before; })) << "counted";
    return request.own();
  });
  server.start();
  Client client(server.url());
  for (const char* line : {"one", "two"}) EXPECT_EQ(client.ask(line), line);
  EXPECT_FALSE(has(server.log(), "stall: ")) << server.log();
  EXPECT_EQ(server.stats().stall_reports, 0u);
}

TEST(StallReport, ComesSoManyTimesAMinuteAtMost) {
  constexpr uint32_t kReports = 2;
  TestServer server({.io_workers = 1,
                     .dispatch = tr::Dispatch::kInline,
                     .stall_time = 10ms,
                     .stall_reports_per_minute_max = kReports});
  server.listen([](const tr::Request& request) -> tr::Answer {
    support::let_pass(60ms);
    return request.own();
  });
  server.start();
  Client client(server.url());
  uint64_t stalls = 0;
  for (int i = 0; i < 100 && stalls < kReports + 2; ++i) {
    ASSERT_EQ(client.ask("x"), "x");
    stalls = server.stats().stalls;
  }
  EXPECT_GE(stalls, kReports + 2);
  EXPECT_EQ(server.stats().stall_reports, kReports);
}

// A server whose watchdog believes what the test says about CPU clocks.
class ToldServer {
 public:
  ToldServer(ToldThreads& threads, Gate gate)
      : platform_{tr::real_platform().kernel, tr::real_platform().clock, threads, 0},
        server_({.io_workers = 1, .dispatch = tr::Dispatch::kAdaptive, .log = ignore}, platform_),
        opener_(gate) {
    server_.listen(
        "tcp://127.0.0.1:0", tr::lines(),
        [gate](const tr::Request& request) -> tr::Answer {
          if (request.text() == "wait") gate.wait();
          return request.own();
        },
        support::pinned_to_the_loop());
    EXPECT_TRUE(server_.start().ok());
  }
  std::string url() const { return server_.urls()[0]; }
  tr::Stats stats() const { return server_.stats(); }

 private:
  static void ignore(tr::LogLevel, std::string_view) {}
  const tr::Platform platform_;
  tr::Server server_;
  const Gate::Opener opener_;
};

TEST(BusyHandler, MovesAtOnceWhereACpuIsFree) {
  ToldThreads threads;
  threads.all_compute = true;
  threads.cpus = 2;
  Gate gate;
  ToldServer server(threads, gate);
  Client client(server.url());
  ASSERT_TRUE(client.send("wait\n"));
  EXPECT_TRUE(wait_until([&] { return server.stats().hand_overs >= 1; }));
  // The loop that moved sleeps again, the handler computes on: still one CPU is free.
  EXPECT_EQ(Client(server.url()).ask("x"), "x");
}

// With one CPU to share, moving the loop would give its clients nothing for as long as the
// scheduler lets one thread run; later it does.
TEST(BusyHandler, KeepsItsLoopForSomeTimeWhereNoCpuIsFree) {
  if (support::kForcedHandOver) GTEST_SKIP() << "every handler loses its loop at once";
  ToldThreads threads;
  threads.all_compute = true;
  threads.cpus = 1;
  Gate gate;
  ToldServer server(threads, gate);
  Client client(server.url());
  const auto begin = support::Clock::now();
  ASSERT_TRUE(client.send("wait\n"));
  ASSERT_TRUE(wait_until([&] { return server.stats().hand_overs >= 1; }));
  EXPECT_GE(support::Clock::now() - begin, 20ms);
  EXPECT_GE(server.stats().stalls, 1u);
}

TEST(BusyHandler, OneThatWaitsMovesAtOnceWhereverCpusAre) {
  ToldThreads threads;
  threads.all_compute = false;
  threads.cpus = 1;
  Gate gate;
  ToldServer server(threads, gate);
  Client client(server.url());
  ASSERT_TRUE(client.send("wait\n"));
  EXPECT_TRUE(wait_until([&] { return server.stats().hand_overs >= 1; }));
  EXPECT_EQ(server.stats().stalls, 0u);
}

std::string policy_of(const ::testing::TestParamInfo<tr::Dispatch>& given) {
  switch (given.param) {
    case tr::Dispatch::kInline:
      return "Inline";
    case tr::Dispatch::kWorkers:
      return "Workers";
    case tr::Dispatch::kAdaptive:
      return "Adaptive";
  }
  return "Unknown";
}

INSTANTIATE_TEST_SUITE_P(Policies, StallTest,
                         ::testing::Values(tr::Dispatch::kInline, tr::Dispatch::kWorkers,
                                           tr::Dispatch::kAdaptive),
                         policy_of);

}  // namespace
