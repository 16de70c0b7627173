// Connections for queries: a small pool, with a gate that lets the write-ahead log begin anew.
//
// Part of `collect`. Threads: as each function says.
#pragma once

#include <array>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <vector>

#include "services/sqlite_database.h"

namespace services {

class SqliteReaders {
 public:
  using Clock = std::chrono::steady_clock;
  // Queries read at once. They share the CPUs with everything else, so more would only hold memory.
  static constexpr int kCount = 4;

  std::array<SqliteDatabase, kCount> all;  // each is given back once before the first is taken

  // Data worker. Blocks until one is free and the gate is open.
  SqliteDatabase& take_blocking() {
    std::unique_lock lock(mutex_);
    while (true) {
      returned_.wait(lock, [&] { return !free_.empty(); });
      if (Clock::now() >= opens_) break;
      returned_.wait_until(lock, opens_);
    }
    SqliteDatabase* const reader = free_.back();
    free_.pop_back();
    return *reader;
  }
  // Any thread.
  void give_back(SqliteDatabase& reader) {
    const std::lock_guard lock(mutex_);
    free_.push_back(&reader);
    returned_.notify_one();
  }

  // Any thread. Until then no query begins. It opens by itself, or at once with a time that is
  // over.
  void close_gate(Clock::time_point until) {
    const std::lock_guard lock(mutex_);
    opens_ = until;
    returned_.notify_all();
  }
  // Any thread. Whether no query is at work.
  bool are_idle() const {
    const std::lock_guard lock(mutex_);
    return free_.size() == kCount;
  }

 private:
  mutable std::mutex mutex_;  // guards all below
  std::condition_variable returned_;
  std::vector<SqliteDatabase*> free_;
  Clock::time_point opens_{};
};

}  // namespace services
