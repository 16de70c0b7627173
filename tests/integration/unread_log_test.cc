// Goal: a log or an output that nobody takes holds up no client, no start, no drain and no end.
// Method: sinks that wait at a gate; the real program on full and on broken pipes.
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/syscall.h>

#include <stdexcept>
#include <string>
#include <vector>

#include "support/child.h"
#include "support/client.h"
#include "support/gate.h"
#include "support/test_server.h"
#include "support/text.h"
#include "support/unread_pipe.h"

namespace {

using support::Child;
using support::Client;
using support::Gate;
using support::UnreadPipe;
using support::wait_until;
namespace tr = trireme;
using namespace std::chrono_literals;

using support::kAnyPort;

class UnreadLog : public ::testing::TestWithParam<support::Setup> {};

// Handlers, the dispatch policy's own lines, and loops that close a client all have something to
// say.
TEST_P(UnreadLog, HoldsUpNoClientAndNoDrain) {
  const Gate gate;
  tr::ServerOptions options = support::options_of(GetParam());
  options.log_level = tr::LogLevel::kDebug;
  options.linger_time_max = 10ms;
  options.stall_time = 5ms;
  options.log = [gate](tr::LogLevel, std::string_view) { gate.wait(); };
  tr::Server server(options);
  const Gate::Opener opener(gate);
  server.listen(kAnyPort, tr::lines(), [](const tr::Request& request) -> tr::Answer {
    if (request.text() == "throw") throw std::runtime_error("no");
    if (request.text() == "block") support::let_pass(20ms);
    return request.own();
  });
  ASSERT_TRUE(server.start().ok());
  for (int i = 0; i < 3; ++i) {
    Client client(server.urls()[0]);
    EXPECT_EQ(client.ask("throw"), "ERR internal");
    EXPECT_EQ(client.ask("block"), "block");
    EXPECT_EQ(client.ask("x"), "x");
  }
  EXPECT_TRUE(wait_until([&] { return gate.arrived() == 1; }));
  EXPECT_TRUE(server.drain().empty());
}

INSTANTIATE_TEST_SUITE_P(
    Setups, UnreadLog, ::testing::ValuesIn([] {
      std::vector<support::Setup> setups = {
          {tr::Dispatch::kInline, tr::DriverKind::kEpoll, 1},
          {tr::Dispatch::kWorkers, tr::DriverKind::kEpollEdge, 1},
          {tr::Dispatch::kAdaptive, tr::DriverKind::kEpoll, 1},
          {tr::Dispatch::kAdaptive, tr::DriverKind::kPoll, 2, false, tr::Accepting::kLoops},
          {tr::Dispatch::kAdaptive, tr::DriverKind::kSelect, 1}};
      if (support::has_uring()) {
        setups.push_back({tr::Dispatch::kAdaptive, tr::DriverKind::kEpoll, 1, true});
      }
      return setups;
    }()),
    support::name_of);

// At debug, with every descriptor taken: the Listener has something to say, too.
TEST(UnreadPipes, TheLogsHoldsUpNothing) {
  if (support::kSanitized) GTEST_SKIP() << "a sanitizer needs descriptors of its own";
  std::vector<std::string> drivers = {"epoll"};
  if (support::has_uring()) drivers.push_back("io_uring");
  for (const std::string& driver : drivers) {
    UnreadPipe pipe;
    Child child({"serve", "delay", "--listen", kAnyPort, "--log-level", "debug", "--driver", driver,
                 "--io-workers", "1", "--connections-max", "1000"},
                {.descriptors_max = 40, .errors = pipe.write_end()});
    const std::string url = child.url();
    ASSERT_NE(url, "") << driver;
    {
      std::vector<std::unique_ptr<Client>> clients;
      for (int i = 0; i < 50; ++i) clients.push_back(std::make_unique<Client>(url));
      EXPECT_EQ(clients[0]->ask("a 5000"), "a");
    }
    EXPECT_EQ(Client(url).ask("b 5000"), "b") << driver;
    child.signal(SIGTERM);
    EXPECT_EQ(child.wait_exit(), 0) << driver;
  }
}

TEST(UnreadPipes, StandardOutputsHoldsUpNothing) {
  UnreadPipe pipe;
  Child child({"serve", "echo", "--listen", kAnyPort}, {.out = pipe.write_end()});
  ASSERT_TRUE(wait_until([&] { return child.is_in(SYS_write); }));
  child.signal(SIGTERM);
  EXPECT_EQ(child.wait_exit(), 0) << child.errors();
  EXPECT_NE(child.errors().find("drained"), std::string::npos);
}

TEST(UnreadPipes, WhatCannotStartStillEnds) {
  UnreadPipe pipe;
  Child child({"serve", "collect", "--listen", kAnyPort, "--db", "/no/such/folder/x"},
              {.errors = pipe.write_end()});
  EXPECT_EQ(child.wait_exit(), 1);
  UnreadPipe other;
  Child used({"serve", "echo", "--listen", "tcp://127.0.0.1:0/no"}, {.errors = other.write_end()});
  EXPECT_EQ(used.wait_exit(), 2);
}

// A program of a user, which does nothing about signals, in a process of its own.
class UnreadLogDeathTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() { GTEST_FLAG_SET(death_test_style, "threadsafe"); }
};

[[noreturn]] void run_on(UnreadPipe& pipe) {
  ::dup2(pipe.write_end(), STDERR_FILENO);
  int status = 0;
  {
    tr::Server server;
    server.listen(kAnyPort, tr::lines(), support::mark);
    status = server.run([] { ::kill(::getpid(), SIGTERM); });
  }
  ::_exit(status);
}

TEST_F(UnreadLogDeathTest, RunOutlivesABrokenPipe) {
  EXPECT_EXIT(
      {
        UnreadPipe pipe;
        pipe.close_read();
        run_on(pipe);
      },
      ::testing::ExitedWithCode(0), "");
}

TEST_F(UnreadLogDeathTest, RunEndsWithAFullPipe) {
  EXPECT_EXIT(
      {
        UnreadPipe pipe;
        run_on(pipe);
      },
      ::testing::ExitedWithCode(0), "");
}

// The sentence does not take the way of the lines, and waits for nobody either.
TEST_F(UnreadLogDeathTest, AFailedCheckStillSpeaksAndStillEnds) {
  const auto start_twice = [] {
    tr::Server server({.log = [](tr::LogLevel, std::string_view) { Gate().wait(); }});
    server.listen(kAnyPort, tr::lines(), support::mark);
    static_cast<void>(server.start());
    static_cast<void>(server.start());
  };
  EXPECT_DEATH(start_twice(), "a server is started once");
  EXPECT_EXIT(
      {
        UnreadPipe pipe;
        ::dup2(pipe.write_end(), STDERR_FILENO);
        start_twice();
      },
      ::testing::KilledBySignal(SIGABRT), "");
}

}  // namespace
