// Goal: the load measures the server, not what its own system lacks; and connections that are
// opened again are counted, and given up, as the first ones. Method: the real program under a
// filter that refuses system calls; a peer whose backlog is full, and none at all.
#include <gtest/gtest.h>
#include <sys/syscall.h>

#include <string>

#include "tool/bench_runs.h"
#include "tool/peer.h"

namespace {

using support::bench;
using support::contains;
using support::Ended;
using support::number;
using support::Peer;
using support::TextFile;
using support::Words;

struct Lack {
  std::string name;
  std::vector<long> calls;
  int error;
};

class BenchWithout : public ::testing::TestWithParam<Lack> {};

TEST_P(BenchWithout, LoadsAndSleepsBetween) {
  Peer peer;
  const Ended run = bench({"echo", peer.url(), "--connections", "2", "--rate", "50", "--duration",
                           "400ms", "--warm-up", "0", "--json"},
                          {.refused_calls = GetParam().calls, .refused_errno = GetParam().error});
  ASSERT_EQ(run.status, 0) << run.out << run.errors;
  EXPECT_NEAR(number(run.out, "requests"), 20, 2) << run.out;
  // Who spins has used all the time.
  const double used_us = number(run.out, "load_cpu_us_per_request") * number(run.out, "requests");
  EXPECT_LT(used_us, 200'000) << run.out;
}

INSTANTIATE_TEST_SUITE_P(
    Calls, BenchWithout,
    ::testing::Values(Lack{"OldKernel", {SYS_epoll_pwait2}, ENOSYS},
                      Lack{"Container", {SYS_epoll_pwait2}, EPERM},
                      Lack{"OnlyEpollWait", {SYS_epoll_pwait2, SYS_ppoll}, EPERM}),
    [](const auto& test) { return test.param.name; });

TEST(BenchConnects, OneThatIsRefusedWasNotOpened) {
  const std::string name = "unix:@bench-opened-" + std::to_string(::getpid());
  for (const std::string& kind : {std::string("tcp"), name}) {
    std::string url;
    { url = Peer({.url = kind}).url(); }
    for (const char* scenario : {"echo", "churn"}) {
      const Ended run = bench({scenario, url, "--connections", "3", "--warm-up", "0", "--json"});
      EXPECT_EQ(run.status, 1);
      EXPECT_EQ(number(run.out, "connections_opened"), 0) << run.out;
      EXPECT_TRUE(contains(run.out, "Connection refused")) << run.out;
    }
  }
}

// A script that waits for a greeting sends nothing by which it would notice.
TEST(BenchConnects, OneThatWaitsForAGreetingIsOpen) {
  Peer peer({.close_after = 1, .greeting = "hi\n"});
  const TextFile script("expect-line \"hi\"\nclose\n");
  const Ended run = bench({"script", peer.url(), "--script", script.path(), "--connections", "2",
                           "--duration", "100ms", "--warm-up", "0", "--json"});
  EXPECT_EQ(run.status, 0) << run.out;
  EXPECT_NEAR(number(run.out, "connections_opened"), static_cast<double>(peer.accepted()), 2);
}

TEST(BenchConnects, TheirTimeoutHoldsForThoseOpenedLater) {
  const std::string name = "unix:@bench-later-" + std::to_string(::getpid());
  for (const std::string& kind : {std::string("tcp"), name}) {
    Peer peer({.url = kind, .accepts = false});
    const Ended run =
        bench({"churn", peer.url(), "--connections", "9", "--connect-timeout", "200ms",
               "--duration", "700ms", "--warm-up", "0", "--grace", "0", "--json"});
    EXPECT_EQ(run.status, 1) << run.out;
    // A few fit into the backlog.
    EXPECT_GE(number(run.out, "broken_connections"), 5) << run.out;
    EXPECT_GE(number(run.out, "failed"), 5) << run.out;
    EXPECT_TRUE(contains(run.out, "no connection within the connect timeout")) << run.out;
  }
}

// Only where it would be taken.
TEST(BenchConnects, SourcesAreProposedWhereThereAreSome) {
  const auto refusal = [](const std::string& url, const char* sources) {
    Words words = {"echo", url, "--connections", "3", "--json"};
    if (sources != nullptr) words.insert(words.end(), {"--sources", sources});
    return bench(words, {.refused_calls = {SYS_connect}, .refused_errno = EADDRNOTAVAIL}).out;
  };
  const std::string url = "tcp://127.0.0.1:1";  // why: never connected to
  EXPECT_TRUE(contains(refusal(url, nullptr), "--sources N takes more"));
  const std::string all = refusal(url, "250");
  EXPECT_TRUE(contains(all, "no free port is left") && !contains(all, "--sources N")) << all;
  const std::string ipv6 = refusal("tcp://[::1]:1", nullptr);  // why: never connected to
  EXPECT_TRUE(contains(ipv6, "no free port is left") && !contains(ipv6, "--sources N")) << ipv6;
}

// Starts the program with a shell: `$0 $@` is it.
support::Child::Options through_shell(const char* line) {
  return {.through = {"/bin/sh", "-c", line}};
}

TEST(BenchOutput, WhatCannotBeWrittenIsSaid) {
  Peer peer;
  const Words words = {"echo", peer.url(), "--duration", "50ms", "--warm-up", "0", "--json"};
  const Ended full = bench(words, through_shell("exec \"$0\" \"$@\" > /dev/full"));
  EXPECT_EQ(full.status, 1);
  EXPECT_TRUE(contains(full.errors, "cannot write the result: No space left")) << full.errors;
  Words plot = words;
  plot.insert(plot.end(), {"--plot", "/dev/full"});
  const Ended picture = bench(plot);
  EXPECT_EQ(picture.status, 1);
  EXPECT_TRUE(contains(picture.errors, "cannot write /dev/full: No space left")) << picture.errors;
  const Ended help = bench({"--help"}, through_shell("exec \"$0\" \"$@\" > /dev/full"));
  EXPECT_EQ(help.status, 1);
  EXPECT_TRUE(contains(help.errors, "cannot write the help")) << help.errors;
}

// Sanitizers need threads and memory of their own.
TEST(BenchScarcity, TooFewThreadsAreSaid) {
  if (support::kSanitized) GTEST_SKIP();
  Peer peer;
  const Ended run = bench({"echo", peer.url(), "--threads", "2", "--json"},
                          {.refused_calls = {SYS_clone3, SYS_clone}, .refused_errno = EAGAIN});
  EXPECT_EQ(run.status, 1) << run.out << run.errors;
  EXPECT_TRUE(contains(run.out, "cannot start thread 1 of 2")) << run.out;
  EXPECT_TRUE(contains(run.out, "\"connected\": false")) << run.out;
}

TEST(BenchScarcity, TooLittleMemoryIsSaid) {
  if (support::kSanitized) GTEST_SKIP();
  Peer peer;
  const Ended run = bench({"echo", peer.url(), "--connections", "100", "--depth", "100000"},
                          through_shell("ulimit -v 100000; exec \"$0\" \"$@\""));
  EXPECT_EQ(run.status, 1) << run.out << run.errors;
  EXPECT_TRUE(contains(run.errors, "trireme: out of memory")) << run.errors;
}

}  // namespace
