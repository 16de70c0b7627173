// Goal: a system that starts no more threads costs the start of the server, or data workers, and
// nothing else.
// Method: FaultyThreads fails the n-th start, once, three times, or until healed.
#include "fault/faulty_server.h"

namespace fault { namespace {

class ThreadStart : public ::testing::TestWithParam<std::tuple<size_t, uint64_t>> {};

TEST_P(ThreadStart, FailsCleanlyOrRunsWithFewer) {
  const auto [setup_index, times] = GetParam();
  for (uint64_t first = 1; first <= 8; ++first) {
    SCOPED_TRACE("from start " + std::to_string(first));
    support::Setup setup = setups()[setup_index];
    setup.io_workers = 2;
    FaultyServer server(setup);
    server.threads().fail_start({.first = first, .times = times});
    const tr::Result<tr::Done> result = server.start();
    if (!result.ok()) {
      EXPECT_NE(result.error().message.find("thread"), std::string::npos) << result.error().message;
      EXPECT_EQ(server.descriptors_open(), 0u);
      server.threads().heal();
      ASSERT_TRUE(server.start().ok());
      EXPECT_TRUE(serves(server.url()));
      continue;
    }
    Client early(server.url()), also_early(server.url());
    ASSERT_TRUE(early.send("early\n"));
    ASSERT_TRUE(also_early.send("also\n"));
    if (times == kForEver) {
      const uint64_t before = server.threads().starts();
      const auto begin = support::Clock::now();
      while (support::Clock::now() - begin < std::chrono::milliseconds(40) &&
             !early.readable_within(std::chrono::milliseconds(40))) {
      }
      EXPECT_LE(server.threads().starts() - before, 40u) << "it spins";
      server.threads().heal();
    }
    EXPECT_TRUE(answered(early, "early"));
    EXPECT_TRUE(answered(also_early, "also"));
    EXPECT_TRUE(serves(server.url()));
  }
}

constexpr tr::DriverKind kEpoll = tr::DriverKind::kEpoll;

// Starts a server that gets so many threads, and no more.
bool starts_with(FaultyServer& server, uint64_t threads) {
  server.threads().fail_start({.first = threads + 1, .times = kForEver});
  const tr::Result<tr::Done> result = server.start();
  if (result.ok()) return true;
  EXPECT_NE(result.error().message.find("cannot start a thread"), std::string::npos)
      << result.error().message;
  EXPECT_EQ(server.descriptors_open(), 0u);
  return false;
}

// Holder, data worker and Listener are needed; the watcher, which only reports, is not.
TEST(FewThreads, JobsComeBeforeReports) {
  for (const uint64_t threads : {1, 2, 3, 4}) {
    FaultyServer server({tr::Dispatch::kWorkers, kEpoll, 1});
    ASSERT_EQ(starts_with(server, threads), threads >= 3) << threads;
    if (threads < 3) continue;
    for (int i = 0; i < 5; ++i) EXPECT_TRUE(serves(server.url()));
  }
}

TEST(FewThreads, InlineNeedsNoDataWorker) {
  FaultyServer server({tr::Dispatch::kInline, kEpoll, 1});
  ASSERT_TRUE(starts_with(server, 2));
  EXPECT_TRUE(serves(server.url()));
}

// Without any reserve no handler would start.
TEST(FewThreads, AdaptiveNeedsAReserve) {
  for (const uint64_t threads : {2, 3, 4}) {
    FaultyServer server({tr::Dispatch::kAdaptive, kEpoll, 2, false, tr::Accepting::kLoops});
    ASSERT_EQ(starts_with(server, threads), threads >= 3) << threads;
    if (threads < 3) continue;
    for (int i = 0; i < 5; ++i) EXPECT_TRUE(serves(server.url()));
  }
}

// The only data worker is in a handler, and the system gives no other: the watcher runs jobs.
TEST(FewThreads, AWatcherGivesWayToJobs) {
  FaultyServer server({tr::Dispatch::kWorkers, kEpoll, 1});
  ASSERT_TRUE(starts_with(server, 4));
  Client blocked(server.url());
  ASSERT_TRUE(blocked.send("gate\n"));
  const support::Gate gate = server.gate();
  ASSERT_TRUE(support::wait_until([&] { return gate.arrived() == 1; }));
  for (int i = 0; i < 5; ++i) EXPECT_TRUE(serves(server.url()));
  gate.open();
  EXPECT_TRUE(answered(blocked, "gate"));
}

// A loop lost its holder to a handler that blocks, its reserve holds it, and there is no other: the
// reserve of the other loop runs its jobs.
TEST(FewThreads, AReserveGivesWayToJobs) {
  FaultyServer server({tr::Dispatch::kAdaptive, kEpoll, 2});
  ASSERT_TRUE(starts_with(server, 5));
  Client blocked(server.url());
  ASSERT_TRUE(blocked.send("gate\n"));
  const support::Gate gate = server.gate();
  ASSERT_TRUE(support::wait_until([&] { return gate.arrived() == 1; }));
  for (int i = 0; i < 8; ++i) EXPECT_TRUE(serves(server.url()));
  gate.open();
  EXPECT_TRUE(answered(blocked, "gate"));
}

INSTANTIATE_TEST_SUITE_P(Setups, ThreadStart,
                         ::testing::Combine(::testing::Range(size_t{0}, size_t{4}),
                                            ::testing::Values(uint64_t{1}, uint64_t{3}, kForEver)),
                         [](const auto& given) {
                           const uint64_t times = std::get<1>(given.param);
                           return support::name_of({setups()[std::get<0>(given.param)], 0}) +
                                  "times" +
                                  (times == kForEver ? std::string("ForEver")
                                                     : std::to_string(times));
                         });

}  // namespace
}  // namespace fault
