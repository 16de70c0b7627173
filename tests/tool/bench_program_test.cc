// Goal: `trireme bench` loads a server as it says, finds what a server does wrong, and ends with
// the right status whatever happens. Method: the real program against the real services, and
// against a peer in the test that flips a byte, stalls, closes or is silent.
#include <gtest/gtest.h>
#include <signal.h>

#include <filesystem>
#include <string>
#include <vector>

#include "tool/bench_runs.h"
#include "tool/peer.h"

namespace {

using support::bench;
using support::bench_words;
using support::Child;
using support::contains;
using support::Ended;
using support::number;
using support::Peer;
using support::short_run;
using support::TextFile;
using support::wait_until;
using support::Words;
using namespace std::chrono_literals;

constexpr const char* kAnyPort = "tcp://127.0.0.1:0";

struct Case {
  std::string name;
  std::string service;
  Words words;  // the scenario and its options
};

class BenchScenario : public ::testing::TestWithParam<Case> {};

TEST_P(BenchScenario, PassesAndCounts) {
  Child server({"serve", GetParam().service, "--listen", kAnyPort, "--io-workers", "2"});
  Words words = GetParam().words;
  words.insert(words.begin() + 1, server.url());
  for (const std::string& word : {std::string("--pid"), std::to_string(server.pid())}) {
    words.push_back(word);
  }
  const Ended run = short_run(words);
  ASSERT_EQ(run.status, 0) << run.out << run.errors;
  EXPECT_EQ(run.errors, "");  // no progress where there is no terminal
  EXPECT_GT(number(run.out, "requests"), 0);
  EXPECT_GT(number(run.out, "sent_bytes"), 0);
  EXPECT_GE(number(run.out, "count", "\"latency_us\"") +
                number(run.out, "count", "\"blocking_latency_us\""),
            number(run.out, "requests"));
  EXPECT_GT(number(run.out, "cpu_us_per_request"), 0);
  EXPECT_GT(number(run.out, "threads", "\"server\""), 2);
  EXPECT_GT(number(run.out, "resident_bytes_connected"), 1 << 20);
  EXPECT_EQ(number(run.out, "wrong_bytes"), 0);
}

INSTANTIATE_TEST_SUITE_P(
    Bench, BenchScenario,
    ::testing::Values(
        Case{"Echo", "echo", {"echo"}},
        Case{"EchoPipelined", "echo", {"echo", "--depth", "32", "--bytes", "5KiB"}},
        Case{"EchoThreads", "echo", {"echo", "--threads", "3", "--connections", "7"}},
        Case{"EchoRateThreads",
             "echo",
             {"echo", "--threads", "3", "--connections", "7", "--rate", "3000"}},
        Case{"EchoOfLines", "echo", {"echo", "--codec", "lines", "--depth", "4"}},
        Case{"EchoOfLengths", "echo", {"echo", "--codec", "length-prefix:2", "--bytes", "700"}},
        Case{"EchoFixed", "echo", {"echo", "--codec", "fixed:100"}},
        Case{"EchoSources", "echo", {"echo", "--sources", "5"}},
        Case{"EchoCongestion", "echo", {"echo", "--congestion", "reno"}},
        Case{"EchoRamp", "echo", {"echo", "--ramp", "100ms"}},
        Case{"Lines", "delay", {"lines", "--depth", "4"}},
        Case{"LinesRate", "delay", {"lines", "--rate", "1000"}},
        Case{"LinesBlocking", "delay", {"lines", "--block", "0.2", "--block-time", "2ms"}},
        Case{"Churn", "echo", {"churn", "--connections", "8"}},
        Case{"ChurnRate", "echo", {"churn", "--rate", "200"}},
        Case{"Idle", "echo", {"idle", "--connections", "300", "--active", "4", "--threads", "2"}},
        Case{"Stream", "echo", {"stream"}}, Case{"StreamRate", "echo", {"stream", "--rate", "200"}},
        Case{"StreamUp", "discard", {"stream", "--direction", "up"}},
        Case{"StreamUpRate", "discard", {"stream", "--direction", "up", "--rate", "200"}}),
    [](const auto& test) { return test.param.name; });

TEST(BenchProgram, BlockingRequestsAreReportedApart) {
  Child server({"serve", "delay", "--listen", kAnyPort});
  const Ended run = short_run(
      {"lines", server.url(), "--block", "0.5", "--block-time", "5ms", "--connections", "4"});
  ASSERT_EQ(run.status, 0) << run.out << run.errors;
  EXPECT_GT(number(run.out, "count", "\"latency_us\""), 0);
  EXPECT_GT(number(run.out, "count", "\"blocking_latency_us\""), 0);
  EXPECT_GE(number(run.out, "p50", "\"blocking_latency_us\""), 5000);
  EXPECT_LT(number(run.out, "p50", "\"latency_us\""),
            number(run.out, "p50", "\"blocking_latency_us\""));
}

TEST(BenchProgram, IdleConnectionsHaveSaidOneThing) {
  Child server({"serve", "echo", "--listen", kAnyPort, "--first-byte-timeout", "200ms"});
  const Ended run =
      short_run({"idle", server.url(), "--connections", "50", "--active", "2"}, "600ms");
  EXPECT_EQ(run.status, 0) << run.out << run.errors;
  EXPECT_EQ(number(run.out, "broken_connections"), 0);
}

TEST(BenchProgram, OpensAConnectionForEachRequestOfChurn) {
  Peer peer;
  const Ended run = short_run({"churn", peer.url(), "--connections", "2"});
  ASSERT_EQ(run.status, 0) << run.out;
  EXPECT_EQ(static_cast<double>(peer.accepted()), number(run.out, "connections_opened"));
  EXPECT_GE(number(run.out, "connections_opened"), number(run.out, "requests"));
}

TEST(BenchProgram, EveryKindOfUrl) {
  const std::string name = "bench-test-" + std::to_string(::getpid());
  const std::string path = ::testing::TempDir() + name;
  for (const std::string& url :
       {std::string("tcp"), std::string("tcp6"), "unix:" + path, "unix:@" + name}) {
    Peer peer({.url = url});
    const Ended run = short_run({"echo", peer.url(), "--connections", "20"});
    EXPECT_EQ(run.status, 0) << url << run.out << run.errors;
    EXPECT_EQ(peer.accepted(), 20u) << url;
    const Ended churn = short_run({"churn", peer.url(), "--connections", "3"});
    EXPECT_EQ(churn.status, 0) << url << churn.out << churn.errors;
  }
  std::filesystem::remove(path);
}

TEST(BenchProgram, TriesEveryAddressOfAName) {
  Peer peer;
  const std::string port = peer.url().substr(peer.url().rfind(':'));
  const Ended run = short_run({"echo", "tcp://localhost" + port});
  EXPECT_EQ(run.status, 0) << run.out << run.errors;
}

TEST(BenchProgram, FindsAByteThatIsWrong) {
  for (const char* codec : {"bytes", "lines", "length-prefix:4"}) {
    Peer peer({.flip_at = 1000});
    const Ended run = short_run({"echo", peer.url(), "--connections", "3", "--codec", codec});
    EXPECT_EQ(run.status, 1) << run.out;
    EXPECT_EQ(number(run.out, "wrong_bytes"), 3) << run.out;
    EXPECT_TRUE(contains(run.out, "byte 1000 of what came back is 0x")) << run.out;
    EXPECT_TRUE(contains(run.out, "\"passed\": false")) << run.out;
  }
}

TEST(BenchProgram, FindsBytesThatNobodyHasAskedFor) {
  Peer peer({.greeting = "hello"});
  const Ended run = short_run({"idle", peer.url(), "--connections", "10", "--active", "1"});
  EXPECT_EQ(run.status, 1) << run.out;
  EXPECT_GE(number(run.out, "wrong_bytes"), 45);
}

TEST(BenchProgram, FindsConnectionsThatBreak) {
  Peer peer({.close_after = 3000});
  // It ends when no connection is left.
  const Ended run = short_run({"echo", peer.url(), "--connections", "3", "--bytes", "1000"}, "20s");
  EXPECT_EQ(run.status, 1) << run.out;
  EXPECT_EQ(number(run.out, "broken_connections"), 3);
  // A reset, if the peer had not read all when it closed.
  EXPECT_TRUE(contains(run.out, "closed by the server") || contains(run.out, "reset by peer"))
      << run.out;
}

TEST(BenchProgram, NeedsAnswers) {
  Peer peer({.way = Peer::Options::Way::kSilent});
  const Ended run = short_run({"echo", peer.url(), "--connections", "3", "--grace", "100ms"});
  EXPECT_EQ(run.status, 1) << run.out;
  EXPECT_EQ(number(run.out, "unanswered"), 3);
  EXPECT_GE(number(run.out, "max", "\"latency_us\""), 300'000);  // what they have waited so far
}

TEST(BenchProgram, AConnectThatGoesNowhereEnds) {
  const std::string name = "unix:@bench-full-" + std::to_string(::getpid());
  for (const std::string& url : {std::string("tcp"), name}) {
    Peer peer({.url = url, .accepts = false});
    const Ended run =
        short_run({"echo", peer.url(), "--connections", "50", "--connect-timeout", "200ms"});
    EXPECT_EQ(run.status, 1) << run.out;
    EXPECT_TRUE(contains(run.out, "no connection within the connect timeout")) << run.out;
    EXPECT_TRUE(contains(run.out, "\"connected\": false")) << run.out;
  }
}

TEST(BenchProgram, NobodyListens) {
  std::string url;
  { url = Peer().url(); }
  for (const char* scenario : {"echo", "churn"}) {
    const Ended run = short_run({scenario, url});
    EXPECT_EQ(run.status, 1) << run.out;
    EXPECT_TRUE(contains(run.out, "Connection refused")) << run.out;
  }
}

// The stall is what a test lets pass, not what a machine happens to do.
TEST(BenchProgram, AFixedRateShowsWhatAStallCosts) {
  for (const bool fixed_rate : {true, false}) {
    Peer peer;
    Words words = {"echo",      peer.url(), "--connections", "1", "--duration", "1500ms",
                   "--warm-up", "0",        "--json"};
    if (fixed_rate) words.insert(words.end(), {"--rate", "400"});
    Child child(bench_words(words));
    ASSERT_TRUE(wait_until([&] { return peer.received() >= 64u * 40; }));
    peer.hold();
    const auto begin = support::Clock::now();
    support::let_pass(500ms);
    const double stall_us =
        std::chrono::duration<double, std::micro>(support::Clock::now() - begin).count();
    peer.release();
    ASSERT_EQ(child.wait_exit(), 0) << child.out();
    EXPECT_GE(number(child.out(), "max", "\"latency_us\""), stall_us * 0.9);
    // A third of all requests was due while the server stalled, and most of these were late.
    const double p90 = number(child.out(), "p90", "\"latency_us\"");
    if (fixed_rate) {
      EXPECT_GE(p90, stall_us / 4) << child.out();
    } else {
      EXPECT_LT(p90, stall_us / 4) << "one request has met the stall: " << child.out();
    }
  }
}

TEST(BenchProgram, WhatIsDueAndCannotBeSentCounts) {
  Peer peer;
  Child child(bench_words({"echo", peer.url(), "--connections", "1", "--depth", "1", "--rate",
                           "100", "--duration", "500ms", "--warm-up", "0", "--json"}));
  ASSERT_TRUE(wait_until([&] { return peer.received() > 0; }));
  peer.hold();
  support::let_pass(700ms);  // longer than the run lasts: only its last reply is waited for
  peer.release();
  EXPECT_EQ(child.wait_exit(), 0) << child.out();
  EXPECT_GT(number(child.out(), "unsent"), 20) << child.out();
}

TEST(BenchProgram, SigintPrintsWhatWasMeasured) {
  Peer peer;
  for (const int signal : {SIGINT, SIGTERM}) {
    const uint64_t before = peer.received();
    Child child(bench_words(
        {"echo", peer.url(), "--bytes", "16384", "--duration", "1h", "--warm-up", "0", "--json"}));
    // The load begins up to 1 ms before what is measured: so much takes longer on any machine.
    ASSERT_TRUE(wait_until([&] { return peer.received() > before + 64'000'000; }));
    child.signal(signal);
    EXPECT_EQ(child.wait_exit(), 0) << child.out() << child.errors();
    EXPECT_TRUE(contains(child.out(), "\"interrupted\": true")) << child.out();
    EXPECT_GT(number(child.out(), "requests"), 0);
  }
}

TEST(BenchProgram, ASecondSigintDoesNotWaitForReplies) {
  Peer peer({.way = Peer::Options::Way::kSilent});
  Child child(bench_words({"echo", peer.url(), "--duration", "1h", "--grace", "1h"}));
  ASSERT_TRUE(wait_until([&] { return peer.received() > 0; }));
  child.signal(SIGINT);
  support::let_pass(300ms);
  EXPECT_EQ(child.wait_exit(0s), -1) << "it waits for replies";
  child.signal(SIGINT);
  EXPECT_EQ(child.wait_exit(), 1);
  EXPECT_TRUE(contains(child.out(), "unanswered")) << child.out();
}

// Supervisors say the same wish twice.
TEST(BenchProgram, SigtermTwiceAtOnceIsOneWish) {
  Peer peer({.way = Peer::Options::Way::kSilent});
  Child child(bench_words({"echo", peer.url(), "--duration", "1h", "--grace", "1h"}));
  ASSERT_TRUE(wait_until([&] { return peer.received() > 0; }));
  child.signal(SIGTERM);
  support::let_pass(100ms);
  child.signal(SIGTERM);
  child.signal(SIGTERM);
  EXPECT_EQ(child.wait_exit(300ms), -1) << "it waits for replies";
  child.signal(SIGINT);
  EXPECT_EQ(child.wait_exit(), 1);
}

TEST(BenchProgram, AScriptIsPlayedAndChecked) {
  Child server({"serve", "delay", "--listen", kAnyPort});
  const TextFile script(
      "# the service delay\n"
      "send \"first-${connection} 0\\n\"\n"
      "expect-line \"first-${connection}\"\n"
      "repeat 3\n"
      "  send \"\\x61${round} 0\\n\" # two at once\n"
      "  send \"b 0\\n\"\n"
      "  expect \"a${round}\\nb\\n\"\n"
      "end\n"
      "pause 1ms\n"
      "send \"nonsense\\n\"\n"
      "expect-regex \"^ERR [a-z]+ ID\"\n"
      "close\n");
  const Ended run = short_run(
      {"script", server.url(), "--script", script.path(), "--connections", "4", "--threads", "2"});
  EXPECT_EQ(run.status, 0) << run.out << run.errors;
  EXPECT_GT(number(run.out, "connections_opened"), 4) << "played once";

  const TextFile wrong("send \"a 0\\n\"\nexpect-line \"a\"\nsend \"b 0\\n\"\nexpect-line \"c\"\n");
  const Ended failed = short_run({"script", server.url(), "--script", wrong.path()});
  EXPECT_EQ(failed.status, 1) << failed.out;
  EXPECT_TRUE(contains(failed.out, "line 4 of the script: got \\\"b\\\", expected \\\"c\\\""))
      << failed.out;
}

TEST(BenchProgram, AScriptMayExpectTheClose) {
  Peer peer({.close_after = 4, .greeting = "hi\r\n"});
  const TextFile script("expect-line \"hi\"\nsend \"quit\"\nexpect \"quit\"\nexpect-close\n");
  const Ended run =
      short_run({"script", peer.url(), "--script", script.path(), "--connections", "4"});
  EXPECT_EQ(run.status, 0) << run.out;
  EXPECT_GT(peer.accepted(), 8u);

  Peer open;
  const TextFile never("send \"quit\"\nexpect \"quit\"\nexpect-close\n");
  const Ended waits =
      short_run({"script", open.url(), "--script", never.path(), "--grace", "50ms"});
  EXPECT_EQ(waits.status, 1) << waits.out;
}

TEST(BenchProgram, TextForPeople) {
  Child server({"serve", "echo", "--listen", kAnyPort});
  const Ended run = bench({"echo", server.url(), "--duration", "200ms", "--warm-up", "0", "--pid",
                           std::to_string(server.pid())});
  ASSERT_EQ(run.status, 0) << run.out << run.errors;
  for (const char* part : {"requests/s", "MB/s", "p99.99", "load CPU", "server CPU",
                           "context switches", "a connection", "checked", "0 wrong bytes"}) {
    EXPECT_TRUE(contains(run.out, part)) << part << " in " << run.out;
  }
}

}  // namespace
