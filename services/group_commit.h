// Group commit: threads that each want a row on the disk share the transactions that put it there.
//
// Part of the handlers of `collect`; knows no server and no database. Its threads are data workers.
//
//   1. A thread puts its row into the batch that gathers. If there is no leader, it becomes it.
//   2. The leader may wait a moment for more rows, closes the batch, and commits it without the
//      lock; meanwhile the next batch gathers.
//   3. It wakes all threads of its batch, and one of the next batch, which leads that one.
//
// The moment in 2: after a commit the threads that took part, and those who already wait, are
// likely to be back with a row each. A leader waits until as many are there, but no longer than
// half of what the last commit took. So a thread that is alone never waits, and two groups that
// alternate become one.
#pragma once

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

namespace services {

struct CommitCounters {
  uint64_t rows = 0;     // committed
  uint64_t commits = 0;  // successful
  uint64_t failed_commits = 0;
  uint64_t waiting_rows = 0;  // gathered for the next commit, now
};

// Holds as many rows as threads wait in it, so the bound on data workers bounds it.
template <class Row>
class GroupCommit {
 public:
  // Puts rows on the disk, all or none. Called by one thread at a time, whichever leads; may block.
  // Answers what went wrong, or nothing. Must not throw.
  using Commit = std::function<std::string(const std::vector<Row>&)>;

  explicit GroupCommit(Commit commit) : commit_(std::move(commit)) {}
  GroupCommit(const GroupCommit&) = delete;
  GroupCommit& operator=(const GroupCommit&) = delete;

  // Data worker. Blocks until a commit with `row` has returned, so a row may borrow from its
  // thread. Answers what that commit answered.
  std::string add_blocking(Row row) {
    std::unique_lock lock(mutex_);
    const std::shared_ptr<Batch> batch = gathering_;
    batch->rows.push_back(std::move(row));
    if (batch->rows.size() == rows_expected_) gathered_.notify_one();
    batch->changed.wait(lock, [&] { return batch->done || !has_leader_; });
    if (!batch->done) lead_blocking(*batch, lock);
    return batch->problem;
  }

  // Any thread.
  CommitCounters counters() const {
    const std::lock_guard lock(mutex_);
    CommitCounters counters = counters_;
    counters.waiting_rows = gathering_->rows.size();
    return counters;
  }

 private:
  using nanoseconds = std::chrono::nanoseconds;

  // A leader waits at most this long, and not at all where waiting costs more than it can save.
  static constexpr nanoseconds kGatherTimeMax = std::chrono::milliseconds(5);
  static constexpr nanoseconds kGatherTimeMin = std::chrono::microseconds(50);

  // Owners: every thread with a row in it, and the GroupCommit while it gathers.
  struct Batch {
    std::vector<Row> rows;  // guarded by mutex_ while it gathers, then the leader's
    std::condition_variable changed;
    std::string problem;
    bool done = false;
  };

  // noexcept: an exception here would leave the others waiting for ever; out of memory is fatal.
  void lead_blocking(Batch& batch, std::unique_lock<std::mutex>& lock) noexcept {
    has_leader_ = true;
    if (gather_time_ >= kGatherTimeMin) {
      gathered_.wait_for(lock, gather_time_, [&] { return batch.rows.size() >= rows_expected_; });
    }
    gathering_ = std::make_shared<Batch>();

    lock.unlock();
    const auto start = std::chrono::steady_clock::now();
    std::string problem = commit_(batch.rows);
    const nanoseconds commit_time = std::chrono::steady_clock::now() - start;
    lock.lock();

    ++(problem.empty() ? counters_.commits : counters_.failed_commits);
    if (problem.empty()) counters_.rows += batch.rows.size();
    rows_expected_ = batch.rows.size() + gathering_->rows.size();
    gather_time_ = std::min(commit_time / 2, kGatherTimeMax);
    batch.problem = std::move(problem);
    batch.done = true;
    has_leader_ = false;
    batch.changed.notify_all();
    gathering_->changed.notify_one();
  }

  const Commit commit_;
  mutable std::mutex mutex_;  // guards all below
  std::shared_ptr<Batch> gathering_ = std::make_shared<Batch>();
  std::condition_variable gathered_;  // only the leader waits for it
  bool has_leader_ = false;
  size_t rows_expected_ = 1;
  nanoseconds gather_time_{0};
  CommitCounters counters_;
};

}  // namespace services
