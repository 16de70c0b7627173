// Group commit: rows of many clients share the transactions that put them on the disk.
//
// Part of the handlers of `collect`; knows no server and no database. A row that waits holds no
// thread: who adds it leaves a function that is called with its outcome.
//
//   1. A row joins those that gather. The committing thread, which this class owns, is woken.
//   2. It may wait a moment for more rows, takes all that have gathered, and commits them without
//      the lock; meanwhile the next rows gather.
//   3. It tells each row its outcome, and begins again.
//
// The moment in 2: after a commit the clients that took part are likely to be back with a row each.
// The thread waits until as many rows are there, those that already wait included, but no longer
// than half of what the last commit took. So a client that is alone never waits, and two groups
// that alternate become one.
#pragma once

#include <pthread.h>
#include <signal.h>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include "services/collect_store.h"

namespace services {

struct CommitCounters {
  uint64_t rows = 0;     // committed
  uint64_t commits = 0;  // successful; one without a row that was stored is none
  uint64_t failed_commits = 0;
  uint64_t refused_rows = 0;  // of commits that went well otherwise
  uint64_t expired_rows = 0;  // whose deadline had passed before their commit began
  uint64_t waiting_rows = 0;  // gathered for the next commit, now
};

template <class RowType>
class GroupCommit {
 public:
  using Clock = std::chrono::steady_clock;
  // Puts rows on the disk. The committing thread calls it; it may block, and must not throw.
  using Commit = std::function<BatchOutcome(const std::vector<RowType>&)>;
  // Hears of one row. The committing thread calls it. Must not block, and must not throw.
  using Done = std::function<void(const Outcome&)>;

  // Any thread. Starts the thread; throws std::system_error if there is none. `tidy` may be empty;
  // it is called after each commit, when its rows have heard of it. At most `waiting_rows_max` rows
  // wait at a time.
  GroupCommit(Commit commit, std::function<void()> tidy, size_t waiting_rows_max)
      : commit_(std::move(commit)),
        tidy_(std::move(tidy)),
        waiting_rows_max_(waiting_rows_max),
        thread_(start()) {}
  // Any thread. Blocks until the rows that wait are committed and have heard of it.
  ~GroupCommit() {
    {
      const std::lock_guard lock(mutex_);
      stopping_ = true;
    }
    changed_.notify_one();
    thread_.join();
  }
  GroupCommit(const GroupCommit&) = delete;
  GroupCommit& operator=(const GroupCommit&) = delete;

  // Any thread. Waits for a short lock at most. False: too many rows wait, and `done` is not
  // called. A row whose deadline passes before its commit begins is not stored.
  bool add(RowType row, Clock::time_point deadline, Done done) {
    {
      const std::lock_guard lock(mutex_);
      if (rows_.size() >= waiting_rows_max_) return false;
      rows_.push_back(std::move(row));
      waiters_.push_back({deadline, std::move(done)});
      if (rows_.size() < rows_wanted_) return true;  // the thread is busy, or waits for more
    }
    changed_.notify_one();
    return true;
  }

  // Any thread.
  CommitCounters counters() const {
    const std::lock_guard lock(mutex_);
    CommitCounters counters = counters_;
    counters.waiting_rows = rows_.size();
    return counters;
  }

 private:
  using nanoseconds = std::chrono::nanoseconds;

  // The thread waits for more rows at most this long, and not at all where that costs more than it
  // can save.
  static constexpr nanoseconds kGatherTimeMax = std::chrono::milliseconds(5);
  static constexpr nanoseconds kGatherTimeMin = std::chrono::microseconds(50);
  // Of one transaction: bounds what a failure costs, and what a client waits for others.
  static constexpr size_t kBatchRowsMax = 16'384;

  struct Waiter {
    Clock::time_point deadline;
    Done done;
  };

  // Signals are the server's: none is for this thread.
  std::thread start() {
    sigset_t all, before;
    sigfillset(&all);
    ::pthread_sigmask(SIG_SETMASK, &all, &before);
    std::thread thread;
    try {
      thread = std::thread([this] { run(); });
    } catch (...) {
      ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
      throw;
    }
    ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
    ::pthread_setname_np(thread.native_handle(), "commit");
    return thread;
  }

  // noexcept: rows would wait for ever for a thread that has ended; out of memory is fatal.
  void run() noexcept {
    std::unique_lock lock(mutex_);
    while (wait_for_rows(lock)) {
      std::vector<RowType> rows;
      std::vector<Waiter> waiters;
      take_batch(rows, waiters);
      lock.unlock();
      drop_expired(rows, waiters);
      const auto begin = Clock::now();
      const BatchOutcome outcome = rows.empty() ? BatchOutcome() : commit_(rows);
      const nanoseconds commit_time = Clock::now() - begin;
      lock.lock();
      count(outcome, rows.size());
      rows_expected_ = rows.size() + rows_.size();
      gather_time_ = std::min(commit_time / 2, kGatherTimeMax);
      lock.unlock();
      for (size_t row = 0; row < rows.size(); ++row) waiters[row].done(outcome.of(row));
      if (tidy_) tidy_();
      lock.lock();
    }
  }

  // False: there is none, and there will be none.
  bool wait_for_rows(std::unique_lock<std::mutex>& lock) {
    wait(lock, 1, Clock::time_point::max());
    if (gather_time_ >= kGatherTimeMin && !stopping_) {
      wait(lock, rows_expected_, Clock::now() + gather_time_);
    }
    return !rows_.empty();
  }

  void wait(std::unique_lock<std::mutex>& lock, size_t rows, Clock::time_point until) {
    rows_wanted_ = std::min(rows, waiting_rows_max_);
    const auto enough = [&] { return rows_.size() >= rows_wanted_ || stopping_; };
    if (until == Clock::time_point::max()) {
      changed_.wait(lock, enough);
    } else {
      changed_.wait_until(lock, until, enough);
    }
    rows_wanted_ = SIZE_MAX;
  }

  void take_batch(std::vector<RowType>& rows, std::vector<Waiter>& waiters) {
    rows.swap(rows_);
    waiters.swap(waiters_);
    if (rows.size() <= kBatchRowsMax) return;
    const auto split = static_cast<std::ptrdiff_t>(kBatchRowsMax);
    rows_.assign(std::make_move_iterator(rows.begin() + split),
                 std::make_move_iterator(rows.end()));
    waiters_.assign(std::make_move_iterator(waiters.begin() + split),
                    std::make_move_iterator(waiters.end()));
    rows.resize(kBatchRowsMax);
    waiters.resize(kBatchRowsMax);
  }

  void drop_expired(std::vector<RowType>& rows, std::vector<Waiter>& waiters) {
    const auto now = Clock::now();
    std::vector<Waiter> expired;
    size_t kept = 0;
    for (size_t row = 0; row < rows.size(); ++row) {
      if (waiters[row].deadline <= now) {
        expired.push_back(std::move(waiters[row]));
        continue;
      }
      if (kept != row) {
        rows[kept] = std::move(rows[row]);
        waiters[kept] = std::move(waiters[row]);
      }
      ++kept;
    }
    if (expired.empty()) return;
    rows.resize(kept);
    waiters.resize(kept);
    {
      const std::lock_guard lock(mutex_);
      counters_.expired_rows += expired.size();
    }
    for (const Waiter& waiter : expired) waiter.done(not_stored("its deadline has passed"));
  }

  void count(const BatchOutcome& outcome, size_t rows_count) {
    size_t stored = 0;
    for (size_t row = 0; row < rows_count; ++row) {
      stored += outcome.of(row).kind == Outcome::Kind::kStored;
    }
    if (rows_count == 0) return;
    ++(stored > 0 ? counters_.commits : counters_.failed_commits);
    counters_.rows += stored;
    if (stored > 0) counters_.refused_rows += rows_count - stored;
  }

  const Commit commit_;
  const std::function<void()> tidy_;
  const size_t waiting_rows_max_;
  mutable std::mutex mutex_;  // guards all below, but for the thread
  std::condition_variable changed_;
  std::vector<RowType> rows_;      // that gather
  std::vector<Waiter> waiters_;    // one for each of them
  size_t rows_wanted_ = SIZE_MAX;  // the thread is to be woken when so many have gathered
  size_t rows_expected_ = 1;
  nanoseconds gather_time_{0};
  bool stopping_ = false;
  CommitCounters counters_;
  std::thread thread_;  // last: it uses all above
};

}  // namespace services
