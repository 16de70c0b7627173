// Keeps the write-ahead log of a database short, and never waits for a reader.
//
// Part of `collect`. Thread: the committing one, between two commits.
//
//   1. From 1,000 pages on the log is copied into the database as far as running queries allow.
//      When all is copied and nobody reads, the next commit begins the log anew.
//   2. Queries that always overlap would let it grow for ever. So from 16,000 pages on the gate of
//      the readers closes for 100 ms, once a second: if they all end in that time, the log is cut.
//      Commits go on meanwhile; new queries wait.
//   3. A reader of another process knows no gate. While it keeps its transaction open the log
//      grows, a line in the log of the service says so, and at `bytes_max` rows are refused. They
//      are stored again when it has ended.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

#include "services/rare_log.h"
#include "services/sqlite_readers.h"

namespace services {

class SqliteLog {
 public:
  using Clock = std::chrono::steady_clock;

  SqliteLog(SqliteReaders& readers, uint64_t bytes_max, tr::LogSink log)
      : readers_(readers), bytes_max_(bytes_max), log_(std::move(log)) {}

  // Before the first commit. `database` is the one that commits, and outlives this.
  void watch(const SqliteDatabase& database);
  // Between two commits.
  void tidy();
  // Before a commit: empty, or a sentence that says why there must be none.
  std::string problem();

 private:
  // The log is copied as far as readers allow. True: all of it.
  bool copy();
  // The log is cut, unless there is a reader.
  bool cut();
  void try_to_cut();
  void complain();
  uint64_t bytes() const { return static_cast<uint64_t>(pages_) * page_bytes_; }

  SqliteReaders& readers_;
  const uint64_t bytes_max_;
  RareLog log_;
  const SqliteDatabase* database_ = nullptr;
  uint64_t page_bytes_ = 4096;
  int pages_ = 0;             // of the log, after the last commit
  int cut_pages_ = 0;         // from here on it is cut
  int next_copy_pages_ = 0;   // and here it is copied next
  int complained_pages_ = 0;  // when the service last said that somebody reads
  bool gate_is_closed_ = false;
  Clock::time_point gate_opens_{}, next_gate_{};
};

}  // namespace services
