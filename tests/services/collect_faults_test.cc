// Goal: what an operator, another process or a broken disk does to the database of `collect` costs
// the rows that it must, says why, and is over when its cause is.
// Method: a real database file, changed behind the back of the service; a disk that the test
// breaks.
#include <gtest/gtest.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "disk_faults.h"
#include "services/collect.h"
#include "support.h"

namespace services { namespace {

using testing::DiskFaults;
using testing::eventually;
using testing::execute;

class CollectFaults : public ::testing::Test {
 protected:
  void SetUp() override {
    DiskFaults::get().reset();
    open({});
  }
  void TearDown() override { DiskFaults::get().reset(); }

  void open(CollectOptions options) {
    collect_.reset();
    options.path = path_;
    options.log = [this](tr::LogLevel, std::string_view line) {
      const std::lock_guard lock(mutex_);
      log_.emplace_back(line);
    };
    auto opened = Collect::open(std::move(options));
    ASSERT_TRUE(opened.ok()) << opened.error().message;
    collect_ = std::move(opened.value());
  }
  std::string say(std::string_view line) { return testing::ask(*collect_, line); }
  uint64_t log_file_bytes() const { return std::filesystem::file_size(path_ + "-wal"); }
  std::vector<std::string> log() {
    const std::lock_guard lock(mutex_);
    return log_;
  }
  bool log_tells(const std::string& text) {
    for (const std::string& line : log()) {
      if (line.find(text) != std::string::npos) return true;
    }
    return false;
  }

  // The answers to rows of one transaction, in their order.
  std::vector<std::string> say_together(const std::vector<std::string>& lines);

  testing::ScratchDirectory directory_;
  const std::string path_ = directory_.file("readings.db");
  std::unique_ptr<Collect> collect_;

 private:
  std::mutex mutex_;  // guards log_
  std::vector<std::string> log_;
};

std::vector<std::string> CollectFaults::say_together(const std::vector<std::string>& lines) {
  std::atomic<bool> hold{true}, is_syncing{false};
  DiskFaults::get().on_sync([&] {
    is_syncing = true;
    eventually([&] { return !hold; });
    return 0;
  });
  std::mutex mutex;
  std::map<size_t, std::string> answers;
  const auto add = [&](size_t place, const std::string& line) {
    collect_->answer(line, [&, place](tr::Answer answer) {
      const std::lock_guard lock(mutex);
      answers[place] = testing::line_of(answer);
    });
  };
  const auto count = [&] {
    const std::lock_guard lock(mutex);
    return answers.size();
  };
  add(lines.size(), "the first 1 1");  // the others gather while it is written
  EXPECT_TRUE(eventually([&] { return is_syncing.load(); }));
  for (size_t place = 0; place < lines.size(); ++place) add(place, lines[place]);
  EXPECT_EQ(collect_->counters().waiting_rows, lines.size());
  hold = false;
  EXPECT_TRUE(eventually([&] { return count() == lines.size() + 1; }));
  DiskFaults::get().on_sync({});
  std::vector<std::string> in_order;
  for (size_t place = 0; place < lines.size(); ++place) in_order.push_back(answers[place]);
  return in_order;
}

// Another process that reads, and has forgotten that it does.
class ForgottenReader {
 public:
  explicit ForgottenReader(const std::string& path) {
    EXPECT_EQ(sqlite3_open(path.c_str(), &database_), SQLITE_OK);
    execute("BEGIN; SELECT count(*) FROM readings");
  }
  ~ForgottenReader() { sqlite3_close(database_); }
  void end() { execute("COMMIT"); }

 private:
  void execute(const char* sql) {
    EXPECT_EQ(sqlite3_exec(database_, sql, nullptr, nullptr, nullptr), SQLITE_OK);
  }
  sqlite3* database_ = nullptr;
};

TEST_F(CollectFaults, ARowWhoseSyncFailedMayBeThereAfterARestart) {
  collect_.reset();
  const pid_t child = fork();
  if (child == 0) {
    open({});
    const bool is_begun = say("d m 1 1") == "OK";  // the head of the log has its own sync
    DiskFaults::get().on_sync([] { return EIO; });
    const std::string answer = is_begun ? say("d m 7 7") : "";
    _exit(answer.starts_with("ERR unknown whether it is stored: disk I/O error") ? 0 : 1);
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0) << "the client must hear that nobody knows";
  open({});
  EXPECT_EQ(say("LAST d m"), "7 7") << "the reason why nobody knows";
}

TEST_F(CollectFaults, AForgottenReaderHoldsUpNoCommitAndTheLogHasABound) {
  constexpr uint64_t kBytesMax = 1 << 20;
  open({.log_bytes_max = kBytesMax});
  EXPECT_EQ(say("d m 1 1"), "OK");
  ForgottenReader reader(path_);
  const auto begin = std::chrono::steady_clock::now();
  std::string answer = "OK";
  int rows = 0;
  for (; rows < 2'000 && answer == "OK"; ++rows) answer = say("d m 1 1");
  const auto took = std::chrono::steady_clock::now() - begin;
  EXPECT_TRUE(
      answer.starts_with("ERR not stored: the write-ahead log has 1 MiB, because another "
                         "process reads the database"))
      << answer;
  EXPECT_LT(took / rows, std::chrono::milliseconds(500)) << "commits do not wait for the reader";
  EXPECT_LT(log_file_bytes(), 2 * kBytesMax);
  EXPECT_TRUE(log_tells("another process reads the database and does not end"));
  EXPECT_EQ(say("LAST d m"), "1 1") << "queries go on";
  reader.end();
  EXPECT_TRUE(eventually([&] { return say("d m 2 2") == "OK"; })) << "nobody has to do anything";
  EXPECT_TRUE(log_tells("short again"));
}

TEST_F(CollectFaults, QueriesThatAlwaysOverlapDoNotLetTheLogGrow) {
  open({.log_bytes_max = 1 << 20});
  std::atomic<bool> ends{false};
  std::vector<std::thread> threads;
  for (int i = 0; i < 6; ++i) {
    threads.emplace_back([&] {
      while (!ends) say("LAST d m");
    });
  }
  uint64_t longest = 0;
  EXPECT_TRUE(eventually([&] {
    say("d m 1 1");
    longest = std::max(longest, log_file_bytes());
    return longest > (256 << 10) && log_file_bytes() < longest;
  })) << "it was never cut";
  ends = true;
  for (std::thread& thread : threads) thread.join();
}

// As an unprivileged user: 0, or how the opening failed.
int open_unprivileged(const std::string& path) {
  const pid_t child = fork();
  if (child == 0) {
    if (geteuid() == 0 && (setgid(65'534) != 0 || setuid(65'534) != 0)) _exit(2);
    int result = 0;
    {
      const auto opened = Collect::open({.path = path});
      const std::string begin = "cannot open the database " + path;
      if (!opened.ok()) result = opened.error().message.starts_with(begin) ? 1 : 3;
    }
    _exit(result);
  }
  int status = 0;
  EXPECT_EQ(waitpid(child, &status, 0), child);
  return WEXITSTATUS(status);
}

TEST_F(CollectFaults, WhatCannotBeWrittenIsRefusedAtTheStart) {
  collect_.reset();  // SQLite would share with a child what it has open
  const pid_t child = fork();
  if (child == 0) {
    open({});
    _exit(say("d m 1 1") == "OK" ? 0 : 1);  // the log stays
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  ASSERT_EQ(status, 0);
  const auto set_mode = [](const std::string& path, mode_t mode) {
    EXPECT_EQ(chmod(path.c_str(), mode), 0) << path;
  };
  set_mode(directory_.file(""), 0777);
  const std::string files[] = {path_, path_ + "-wal", path_ + "-shm"};
  for (const std::string& file : files) set_mode(file, 0666);
  for (const std::string& file : files) {
    set_mode(file, 0444);
    EXPECT_EQ(open_unprivileged(path_), 1) << file;
    set_mode(file, 0666);
  }
  EXPECT_EQ(open_unprivileged(path_), 0);  // and takes the log along at its end
  set_mode(directory_.file(""), 0555);
  EXPECT_EQ(open_unprivileged(path_), 1);
}

TEST_F(CollectFaults, FailedCommitsHaveALineASecondAtMost) {
  EXPECT_EQ(say("d m 1 1"), "OK");
  DiskFaults::get().fail_writes(ENOSPC);
  const auto begin = std::chrono::steady_clock::now();
  for (int i = 0; i < 100; ++i) say("d m 2 2");
  const auto took = std::chrono::steady_clock::now() - begin;
  const auto seconds = static_cast<size_t>(took / std::chrono::seconds(1));
  EXPECT_GE(log().size(), 1u);
  EXPECT_LE(log().size(), seconds + 1);
  EXPECT_TRUE(log_tells("rows not stored: database or disk is full"));
  DiskFaults::get().fail_writes(0);
  EXPECT_EQ(say("d m 3 3"), "OK");
  EXPECT_TRUE(log_tells("rows are stored again"));
}

TEST_F(CollectFaults, AFileThatIsMovedOrReplacedIsNoticed) {
  EXPECT_EQ(say("d m 1 1"), "OK");
  namespace fs = std::filesystem;
  const std::string aside = directory_.file("aside");
  for (const std::string& file : {path_, path_ + "-wal"}) {
    fs::rename(file, aside);
    EXPECT_TRUE(
        say("d m 2 2").starts_with("ERR not stored: the database file or its write-ahead "
                                   "log was moved, removed or replaced"))
        << file;
    fs::copy(aside, file);
    EXPECT_TRUE(say("d m 2 2").starts_with("ERR not stored: ")) << file << ": another one";
    fs::rename(aside, file);
    EXPECT_EQ(say("d m 3 3"), "OK") << file << " is back";
  }
  fs::remove(path_);
  EXPECT_TRUE(say("d m 4 4").starts_with("ERR not stored: "));
  EXPECT_TRUE(log_tells("moved, removed or replaced"));
}

TEST_F(CollectFaults, AFileThatGoesDuringACommitLeavesItUnknown) {
  DiskFaults::get().on_sync([&] {
    std::error_code is_there_already;
    std::filesystem::rename(path_, directory_.file("aside"), is_there_already);
    return 0;
  });
  EXPECT_TRUE(say("d m 1 1").starts_with("ERR unknown whether it is stored: the database file"));
}

TEST_F(CollectFaults, AColumnOfTheOperatorsStopsNothing) {
  EXPECT_EQ(say("d m 1 1"), "OK");
  execute(path_, "ALTER TABLE readings ADD COLUMN note TEXT DEFAULT 'none'");
  EXPECT_EQ(say("d m 2 2"), "OK");
  EXPECT_EQ(say("LAST d m"), "2 2");
  open({});
  EXPECT_EQ(say("d m 3 3"), "OK");
}

TEST_F(CollectFaults, ARowThatBreaksARuleOfTheOperatorsFailsAlone) {
  execute(path_, "CREATE UNIQUE INDEX one_each ON readings(device, metric, time)");
  const std::vector<std::string> answers =
      say_together({"a m 1 1", "b m 1 1", "a m 2 1", "c m 1 1"});
  EXPECT_EQ(answers[0], "OK");
  EXPECT_EQ(answers[1], "OK");
  EXPECT_TRUE(answers[2].starts_with("ERR not stored: UNIQUE constraint failed")) << answers[2];
  EXPECT_EQ(answers[3], "OK");
  EXPECT_EQ(say("COUNT"), "4");
  EXPECT_EQ(collect_->counters().commits, 2u);
  EXPECT_TRUE(log_tells("1 of 4 rows not stored: UNIQUE constraint failed"));
}

// The rule ends the whole transaction.
TEST_F(CollectFaults, AfterARollBackTheRowsAreRepeatedOneByOne) {
  execute(path_,
          "CREATE TRIGGER no_b BEFORE INSERT ON readings WHEN new.device = 'b' "
          "BEGIN SELECT RAISE(ROLLBACK, 'b is not welcome'); END");
  const std::vector<std::string> answers = say_together({"a m 1 1", "b m 1 1", "c m 1 1"});
  EXPECT_EQ(answers[0], "OK");
  EXPECT_EQ(answers[1], "ERR not stored: b is not welcome");
  EXPECT_EQ(answers[2], "OK");
  EXPECT_EQ(say("COUNT"), "3");
}

TEST_F(CollectFaults, AQueryNamesTheCauseOfItsFailure) {
  execute(path_, "ALTER TABLE readings RENAME TO gone");
  for (const char* query : {"COUNT", "LAST d m", "RANGE d m 1 2", "RANGE d m 1 2 -"}) {
    EXPECT_EQ(say(query), "ERR cannot read: no such table: readings") << query;
  }
  EXPECT_EQ(say("d m 1 1"), "ERR not stored: no such table: readings");
  execute(path_, "ALTER TABLE gone RENAME TO readings");
  EXPECT_EQ(say("COUNT"), "0");
}

TEST_F(CollectFaults, ManyRowsOfOneTimeAreReadInPages) {
  execute(path_,
          "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n LIMIT 25000)"
          "INSERT INTO readings SELECT 'd', 'm', i, 5 FROM n");
  EXPECT_TRUE(say("RANGE d m 5 5").starts_with("10000\n1 5\n"));
  std::string place = "-";
  std::vector<size_t> counts;
  int next = 1;
  do {
    std::istringstream page(say("RANGE d m 0 9 " + place));
    size_t count = 0;
    page >> count >> place;
    counts.push_back(count);
    for (size_t row = 0; row < count; ++row) {
      double value = 0, time = 0;
      page >> value >> time;
      ASSERT_EQ(value, next++);
    }
  } while (place != "-");
  EXPECT_EQ(counts, (std::vector<size_t>{10'000, 10'000, 5'000}));
}

// Rows that an earlier version, or the operator, has stored.
TEST_F(CollectFaults, ATimeBeyondTheYear9999IsNoLatestTime) {
  EXPECT_EQ(say("d m 1 100"), "OK");
  execute(path_, "INSERT INTO readings VALUES('d', 'm', 2, 1700000000000)");
  EXPECT_EQ(say("LAST d m"), "1 100");
  EXPECT_EQ(say("RANGE d m 0 1e300"), "2\n1 100\n2 1700000000000");
}

TEST_F(CollectFaults, ARowWhoseDeadlineHasPassedIsNotStored) {
  EXPECT_EQ(testing::ask(*collect_, "d m 1 1", Collect::Clock::now()),
            "ERR not stored: its deadline has passed");
  EXPECT_EQ(say("COUNT"), "0");
  EXPECT_EQ(collect_->counters().expired_rows, 1u);
}

TEST_F(CollectFaults, TooManyWaitingRowsAreRefused) {
  open({.waiting_rows_max = 2});
  const std::vector<std::string> answers = say_together({"a m 1 1", "b m 1 1"});
  EXPECT_EQ(answers, (std::vector<std::string>{"OK", "OK"}));
  std::atomic<bool> hold{true}, is_syncing{false};
  DiskFaults::get().on_sync([&] {
    is_syncing = true;
    eventually([&] { return !hold; });
    return 0;
  });
  std::atomic<int> answered{0};
  const auto count = [&](tr::Answer) { ++answered; };
  collect_->answer("a m 1 1", count);
  EXPECT_TRUE(eventually([&] { return is_syncing.load(); }));
  collect_->answer("a m 1 1", count);
  collect_->answer("a m 1 1", count);
  EXPECT_EQ(say("a m 1 1"), "BUSY");
  EXPECT_EQ(say("COUNT"), "3") << "queries go on";
  hold = false;
  EXPECT_TRUE(eventually([&] { return answered == 3; }));
}

// docs/collect.md, Backups.
TEST_F(CollectFaults, ABackupOfARunningServiceIsWhole) {
  const std::string copy = directory_.file("copy.db");
  for (int row = 0; row < 20; ++row) EXPECT_EQ(say("d m 1 1"), "OK");
  execute(path_, "VACUUM INTO '" + copy + "'");
  EXPECT_EQ(say("d m 2 2"), "OK");
  const auto opened = Collect::open({.path = copy});
  ASSERT_TRUE(opened.ok()) << opened.error().message;
  EXPECT_EQ(testing::ask(*opened.value(), "COUNT"), "20");
}

}  // namespace
}  // namespace services
