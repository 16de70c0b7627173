// Goal: rows share commits, each is in exactly one, and each hears of its own commit; a row that
// waits holds no thread. Method: a commit function that waits at a gate, so that the test says who
// meets whom.
#include "services/group_commit.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <future>
#include <mutex>
#include <numeric>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "support.h"

namespace services { namespace {

using testing::eventually;
using Clock = std::chrono::steady_clock;
using Group = GroupCommit<int>;

constexpr size_t kMany = 1'000'000;

// What was committed, and a gate before it.
class Log {
 public:
  Group::Commit commit() {
    return [this](const std::vector<int>& rows) {
      ++entered;
      gate.lock();  // closed while the test holds it
      gate.unlock();
      const std::lock_guard lock(mutex_);
      batches.push_back(rows);
      return outcome;
    };
  }

  std::mutex gate;
  std::atomic<int> entered{0};
  std::vector<std::vector<int>> batches;  // read when all rows have been answered
  BatchOutcome outcome;                   // set while nobody commits

 private:
  std::mutex mutex_;
};

// How often each kind of outcome was heard of.
struct Heard {
  std::atomic<int> stored{0}, not_stored{0}, unknown{0};

  Group::Done done() {
    return [this](const Outcome& outcome) {
      if (outcome.kind == Outcome::Kind::kStored) ++stored;
      if (outcome.kind == Outcome::Kind::kNotStored) ++not_stored;
      if (outcome.kind == Outcome::Kind::kUnknown) ++unknown;
    };
  }
  int all() const { return stored + not_stored + unknown; }
};

bool add(Group& group, int row, Heard& heard,
         Clock::time_point deadline = Clock::time_point::max()) {
  return group.add(row, deadline, heard.done());
}

// What a client does that waits for its answer.
Outcome add_and_wait(Group& group, int row) {
  std::promise<Outcome> heard;
  group.add(row, Clock::time_point::max(),
            [&](const Outcome& outcome) { heard.set_value(outcome); });
  return heard.get_future().get();
}

TEST(GroupCommit, AClientAloneCommitsEveryRow) {
  Log log;
  Group group(log.commit(), {}, kMany);
  for (int row = 0; row < 5; ++row) {
    EXPECT_EQ(add_and_wait(group, row).kind, Outcome::Kind::kStored);
  }
  EXPECT_EQ(log.batches, (std::vector<std::vector<int>>{{0}, {1}, {2}, {3}, {4}}));
  EXPECT_EQ(group.counters().commits, 5u);
  EXPECT_EQ(group.counters().rows, 5u);
  EXPECT_EQ(group.counters().waiting_rows, 0u);
}

// All are added by this thread, which never waits for a commit.
TEST(GroupCommit, RowsThatComeDuringACommitShareTheNext) {
  Log log;
  Heard heard;
  Group group(log.commit(), {}, kMany);
  {
    const std::lock_guard closed(log.gate);
    EXPECT_TRUE(add(group, 0, heard));
    ASSERT_TRUE(eventually([&] { return log.entered == 1; }));
    for (int row = 1; row < 64; ++row) EXPECT_TRUE(add(group, row, heard));
    EXPECT_EQ(group.counters().waiting_rows, 63u);
    EXPECT_EQ(group.counters().commits, 0u);
    EXPECT_EQ(heard.all(), 0);
  }
  ASSERT_TRUE(eventually([&] { return heard.stored == 64; }));
  ASSERT_EQ(log.batches.size(), 2u);
  EXPECT_EQ(log.batches[0], std::vector<int>{0});
  std::set<int> second(log.batches[1].begin(), log.batches[1].end());
  EXPECT_EQ(second.size(), 63u);
  EXPECT_EQ(group.counters().rows, 64u);
}

TEST(GroupCommit, EachRowHearsItsOwnOutcome) {
  Log log;
  std::vector<Heard> heard(4);
  Group group(log.commit(), {}, kMany);
  log.outcome = {.except = {{1, not_stored("no")}, {2, unknown("perhaps")}}};
  {
    const std::lock_guard closed(log.gate);
    EXPECT_TRUE(add(group, 0, heard[0]));
    ASSERT_TRUE(eventually([&] { return log.entered == 1; }));
    for (int row = 1; row < 4; ++row) add(group, row, heard[static_cast<size_t>(row)]);
  }
  ASSERT_TRUE(eventually([&] { return heard[3].all() == 1; }));
  EXPECT_EQ(heard[0].stored, 1);
  EXPECT_EQ(heard[1].stored, 1);
  EXPECT_EQ(heard[2].not_stored, 1);
  EXPECT_EQ(heard[3].unknown, 1);
  EXPECT_EQ(group.counters().commits, 2u);
  EXPECT_EQ(group.counters().rows, 2u);
  EXPECT_EQ(group.counters().refused_rows, 2u);
}

TEST(GroupCommit, AProblemReachesItsOwnRowsOnly) {
  std::mutex gate;
  std::atomic<int> entered{0};
  Heard first, others;
  Group group(
      [&](const std::vector<int>& rows) -> BatchOutcome {
        ++entered;
        const std::lock_guard wait_for_gate(gate);
        return rows.size() == 1 ? BatchOutcome() : BatchOutcome{not_stored("disk full")};
      },
      {}, kMany);
  {
    const std::lock_guard closed(gate);
    add(group, 0, first);
    ASSERT_TRUE(eventually([&] { return entered == 1; }));
    for (int row = 1; row < 9; ++row) add(group, row, others);
  }
  ASSERT_TRUE(eventually([&] { return first.all() + others.all() == 9; }));
  EXPECT_EQ(first.stored, 1);
  EXPECT_EQ(others.not_stored, 8);
  EXPECT_EQ(add_and_wait(group, 9).kind, Outcome::Kind::kStored);
  const CommitCounters counters = group.counters();
  EXPECT_EQ(counters.rows, 2u);
  EXPECT_EQ(counters.commits, 2u);
  EXPECT_EQ(counters.failed_commits, 1u);
}

TEST(GroupCommit, ARowWhoseDeadlineHasPassedIsNotCommitted) {
  Log log;
  Heard in_time, late;
  Group group(log.commit(), {}, kMany);
  {
    const std::lock_guard closed(log.gate);
    add(group, 0, in_time);
    ASSERT_TRUE(eventually([&] { return log.entered == 1; }));
    add(group, 1, late, Clock::now());
    add(group, 2, in_time, Clock::now() + std::chrono::hours(1));
    add(group, 3, late, Clock::now());
  }
  ASSERT_TRUE(eventually([&] { return in_time.all() + late.all() == 4; }));
  EXPECT_EQ(in_time.stored, 2);
  EXPECT_EQ(late.not_stored, 2);
  EXPECT_EQ(log.batches, (std::vector<std::vector<int>>{{0}, {2}}));
  EXPECT_EQ(group.counters().expired_rows, 2u);
}

TEST(GroupCommit, RefusesRowsBeyondItsBound) {
  Log log;
  Heard heard;
  Group group(log.commit(), {}, 3);
  {
    const std::lock_guard closed(log.gate);
    EXPECT_TRUE(add(group, 0, heard));
    ASSERT_TRUE(eventually([&] { return log.entered == 1; }));
    for (int row = 1; row < 4; ++row) EXPECT_TRUE(add(group, row, heard));
    EXPECT_FALSE(add(group, 4, heard));
  }
  ASSERT_TRUE(eventually([&] { return heard.stored == 4; }));
  EXPECT_EQ(add_and_wait(group, 5).kind, Outcome::Kind::kStored);
}

TEST(GroupCommit, ItsEndCommitsWhatWaits) {
  Log log;
  Heard heard;
  {
    Group group(log.commit(), {}, kMany);
    std::unique_lock closed(log.gate);
    add(group, 0, heard);
    ASSERT_TRUE(eventually([&] { return log.entered == 1; }));
    for (int row = 1; row < 9; ++row) add(group, row, heard);
  }
  EXPECT_EQ(heard.stored, 9);
}

TEST(GroupCommit, TidiesWhenTheRowsHaveHeard) {
  Log log;
  Heard heard;
  std::atomic<int> heard_before{-1};
  Group group(
      log.commit(), [&] { heard_before = heard.all(); }, kMany);
  add(group, 0, heard);
  EXPECT_TRUE(eventually([&] { return heard_before == 1; }));
}

// Rows a commit when `clients_count` clients add as fast as a disk of 5 ms lets them.
double rows_per_commit(int clients_count) {
  constexpr int kRowsEach = 10;
  Group group(
      [](const auto&) {
        // why: this is the slow disk itself; nobody waits by it.
        std::this_thread::sleep_for(std::chrono::milliseconds(5));
        return BatchOutcome();
      },
      {}, kMany);
  std::vector<std::thread> threads;
  for (int thread = 0; thread < clients_count; ++thread) {
    threads.emplace_back([&group] {
      for (int row = 0; row < kRowsEach; ++row) {
        EXPECT_EQ(add_and_wait(group, row).kind, Outcome::Kind::kStored);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  const CommitCounters counters = group.counters();
  EXPECT_EQ(counters.rows, static_cast<uint64_t>(clients_count) * kRowsEach);
  return static_cast<double>(counters.rows) / static_cast<double>(counters.commits);
}

// Without the wait for those who are likely to be back, the clients fall into two groups that take
// turns: half as many rows a commit, however often one tries. With it, a round falls short only
// where the computer is too busy to bring the clients back in time.
TEST(GroupCommit, ClientsThatComeBackAreWaitedFor) {
  constexpr int kClients = 16;
  constexpr int kRounds = 20;
  double best = 0;
  for (int round = 0; round < kRounds && best < kClients * 0.7; ++round) {
    best = std::max(best, rows_per_commit(kClients));
  }
  EXPECT_GE(best, kClients * 0.7);
}

TEST(GroupCommit, ManyThreadsLoseAndRepeatNoRow) {
  constexpr int kThreads = 16;
  constexpr int kRowsEach = 500;
  Log log;
  Group group(log.commit(), {}, kMany);
  std::vector<std::thread> threads;
  for (int thread = 0; thread < kThreads; ++thread) {
    threads.emplace_back([&group, thread] {
      for (int i = 0; i < kRowsEach; ++i) add_and_wait(group, thread * kRowsEach + i);
    });
  }
  for (std::thread& thread : threads) thread.join();
  std::vector<int> rows;
  for (const auto& batch : log.batches) rows.insert(rows.end(), batch.begin(), batch.end());
  std::sort(rows.begin(), rows.end());
  std::vector<int> expected(kThreads * kRowsEach);
  std::iota(expected.begin(), expected.end(), 0);
  EXPECT_EQ(rows, expected);
}

// More than one transaction may hold: the rest goes into the next.
TEST(GroupCommit, ALongQueueIsSeveralTransactions) {
  constexpr int kRows = 40'000;
  Log log;
  Heard heard;
  Group group(log.commit(), {}, kMany);
  {
    const std::lock_guard closed(log.gate);
    add(group, 0, heard);
    ASSERT_TRUE(eventually([&] { return log.entered == 1; }));
    for (int row = 1; row < kRows; ++row) add(group, row, heard);
  }
  ASSERT_TRUE(eventually([&] { return heard.stored == kRows; }));
  ASSERT_EQ(log.batches.size(), 4u);
  EXPECT_EQ(log.batches[1].size(), 16'384u);
  EXPECT_EQ(log.batches[3].back(), kRows - 1);
}

}  // namespace
}  // namespace services
