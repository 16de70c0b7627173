// Goal: at a fixed rate every request that was due is in a figure, whatever becomes of its
// connection, and so is every request that was sent. Method: the real program against a peer that
// closes connections without an answer.
#include <gtest/gtest.h>

#include <string>

#include "tool/bench_runs.h"
#include "tool/peer.h"

namespace {

using support::bench;
using support::Ended;
using support::number;
using support::Peer;
using support::TextFile;
using support::Words;

// A run without a warm-up: the first request of its schedule is due when it begins to count.
Ended run_at(const Peer& peer, Words words, const char* connections, const char* duration) {
  words.insert(words.begin() + 1, peer.url());
  for (const char* word :
       {"--connections", connections, "--duration", duration, "--warm-up", "0", "--json"}) {
    words.emplace_back(word);
  }
  return bench(words);
}

// All that was due: answered in time or late, not answered, not sent, failed.
double counted(const Ended& run) {
  return number(run.out, "count", "\"latency_us\"") +
         number(run.out, "count", "\"blocking_latency_us\"");
}

TEST(BenchDue, WhatIsDueOnAConnectionThatBrokeFails) {
  const TextFile script("send \"ping\"\nexpect \"ping\"\n");
  const Words scenarios[] = {{"echo", "--depth", "1"},
                             {"echo", "--threads", "8"},  // a part without a connection is a part
                             {"stream", "--bytes", "64"},
                             {"script", "--script", script.path()}};
  for (Words words : scenarios) {
    Peer peer({.close_every = 2});
    words.insert(words.end(), {"--rate", "1000"});
    const Ended run = run_at(peer, words, "8", "500ms");
    const std::string all = ::testing::PrintToString(words) + run.out;
    EXPECT_EQ(run.status, 1) << all;
    EXPECT_EQ(number(run.out, "broken_connections"), 4) << all;
    // Requests 0 to 500; each connection that broke loses its part of them.
    EXPECT_NEAR(counted(run), 501, 1) << all;
    EXPECT_NEAR(number(run.out, "failed"), 250, 8) << all;
    // Nobody has answered them until the end: a half has waited longer than half the time.
    EXPECT_GE(number(run.out, "p90", "\"latency_us\""), 200'000) << all;
  }
}

TEST(BenchDue, IdleConnectionsOwnNoRequests) {
  Peer peer({.close_every = 3});  // one that is active
  const Ended run = run_at(peer, {"idle", "--active", "4", "--rate", "1000"}, "5", "300ms");
  EXPECT_EQ(number(run.out, "broken_connections"), 1) << run.out;
  EXPECT_NEAR(counted(run), 301, 1) << run.out;
  EXPECT_NEAR(number(run.out, "failed"), 75 * number(run.out, "broken_connections"), 8) << run.out;
}

TEST(BenchDue, WhatAWarmUpHasLostIsNotOfTheMeasuredTime) {
  Peer peer({.close_every = 2});
  const Ended run = bench({"echo", peer.url(), "--connections", "2", "--rate", "1000", "--duration",
                           "300ms", "--warm-up", "200ms", "--json"});
  EXPECT_NEAR(number(run.out, "failed"), 150, 2) << run.out;
}

TEST(BenchDue, ARequestInFlightFailsWithItsConnection) {
  Peer peer({.close_every = 1});
  const Ended echo = run_at(peer, {"echo", "--depth", "3"}, "2", "300ms");
  EXPECT_EQ(number(echo.out, "failed"), 6) << echo.out;
  EXPECT_EQ(counted(echo), 6) << echo.out;
  const Ended churn = run_at(peer, {"churn"}, "2", "300ms");
  EXPECT_EQ(number(churn.out, "failed"), 2) << churn.out;
  EXPECT_EQ(number(churn.out, "requests"), 0) << churn.out;
}

TEST(BenchDue, ARequestFailsWhoseConnectIsRefused) {
  const std::string name = "unix:@bench-refused-" + std::to_string(::getpid());
  for (const std::string& kind : {std::string("tcp"), name}) {
    std::string url;
    { url = Peer({.url = kind}).url(); }
    const Ended closed = bench({"churn", url, "--connections", "2", "--warm-up", "0", "--json"});
    EXPECT_EQ(number(closed.out, "failed"), 2) << closed.out;
    const Ended rate =
        bench({"churn", url, "--connections", "2", "--warm-up", "0", "--rate", "100", "--json"});
    EXPECT_GE(number(rate.out, "failed"), 2) << rate.out;
    EXPECT_EQ(counted(rate), number(rate.out, "failed")) << rate.out;
  }
}

TEST(BenchDue, ARunWithoutConnectionsEndsAndSaysSo) {
  Peer peer({.close_every = 1});
  const Ended run = bench({"echo", peer.url(), "--rate", "1000", "--duration", "1h", "--warm-up",
                           "0", "--threads", "2"});
  EXPECT_EQ(run.status, 1);
  EXPECT_TRUE(support::contains(run.out, "ended early: no connection was left")) << run.out;
  EXPECT_TRUE(support::contains(run.out, " failed")) << run.out;
}

}  // namespace
