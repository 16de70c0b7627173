// Goal: `OK` means on the disk; writers share commits; a broken disk costs rows, never the service.
// Method: a real database file on a disk whose syncs and writes the test slows down or breaks.
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <fstream>
#include <latch>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "disk_faults.h"
#include "services/collect.h"
#include "support.h"

namespace services { namespace {

using testing::DiskFaults;
using testing::eventually;
using testing::is_error_line;

class CollectStore : public ::testing::Test {
 protected:
  void SetUp() override {
    DiskFaults::get().reset();
    open();
  }
  void TearDown() override { DiskFaults::get().reset(); }

  void open() {
    collect_.reset();
    auto opened = Collect::open({.path = path_});
    ASSERT_TRUE(opened.ok()) << opened.error().message;
    collect_ = std::move(opened.value());
  }
  std::string say(std::string_view line) { return testing::ask(*collect_, line); }

  testing::ScratchDirectory directory_;
  const std::string path_ = directory_.file("readings.db");
  std::unique_ptr<Collect> collect_;
};

TEST_F(CollectStore, OkComesAfterASyncOfItsOwn) {
  for (int row = 0; row < 5; ++row) {  // the first also syncs the head of the log
    const int syncs_before = DiskFaults::get().syncs_count();
    EXPECT_EQ(say("d m 1 1"), "OK");
    EXPECT_GT(DiskFaults::get().syncs_count(), syncs_before) << row;
  }
}

// A test disk takes 5 ms a sync, as an external drive does: the limit is one commit for 16 lines.
TEST_F(CollectStore, SixtyFourWritersShareSlowSyncs) {
  constexpr int kWriters = 64;
  constexpr int kRowsEach = 10;
  DiskFaults::get().on_sync([] {
    // why: this is the slow disk itself; nobody waits by it.
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
    return 0;
  });
  std::latch start(kWriters);
  std::vector<std::thread> writers;
  for (int writer = 0; writer < kWriters; ++writer) {
    writers.emplace_back([&, writer] {
      start.arrive_and_wait();
      for (int row = 0; row < kRowsEach; ++row) {
        EXPECT_EQ(say("device" + std::to_string(writer) + " m " + std::to_string(row)), "OK");
      }
    });
  }
  for (std::thread& writer : writers) writer.join();
  const CommitCounters counters = collect_->counters();
  EXPECT_EQ(counters.rows, uint64_t{kWriters * kRowsEach});
  EXPECT_LE(counters.commits * 16, counters.rows);
  EXPECT_EQ(counters.failed_commits, 0u);
  EXPECT_EQ(say("COUNT"), std::to_string(kWriters * kRowsEach));
}

TEST_F(CollectStore, EveryWaiterHearsOfAFailedCommitAndTheServiceLivesOn) {
  constexpr int kWriters = 16;
  EXPECT_EQ(say("d m 1 1"), "OK");
  std::atomic<bool> hold{true};
  std::atomic<int> syncing{0};
  DiskFaults::get().on_sync([&] {
    ++syncing;
    eventually([&] { return !hold; });
    return EIO;
  });
  std::atomic<int> failed{0};
  std::vector<std::thread> writers;
  for (int writer = 0; writer < kWriters; ++writer) {
    writers.emplace_back([&] { failed += is_error_line(say("d m 2 2")); });
  }
  EXPECT_TRUE(eventually([&] { return syncing == 1; }));
  hold = false;
  for (std::thread& writer : writers) writer.join();
  EXPECT_EQ(failed, kWriters);
  EXPECT_GE(collect_->counters().failed_commits, 1u);
  EXPECT_EQ(say("LAST d m"), "1 1") << "a row that was not stored is not seen";

  DiskFaults::get().on_sync({});
  EXPECT_EQ(say("d m 3 3"), "OK");
  EXPECT_EQ(say("COUNT"), "2");
}

TEST_F(CollectStore, AFullDiskIsSaidAndSurvived) {
  EXPECT_EQ(say("d m 1 1"), "OK");
  DiskFaults::get().fail_writes(ENOSPC);
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(say("d m 2 2"), "ERR not stored: database or disk is full");
  }
  EXPECT_EQ(say("COUNT"), "1") << "queries go on";
  DiskFaults::get().fail_writes(EIO);
  EXPECT_EQ(say("d m 2 2"), "ERR not stored: disk I/O error");
  DiskFaults::get().fail_writes(0);
  EXPECT_EQ(say("d m 3 3"), "OK");
  EXPECT_EQ(say("COUNT"), "2");
  open();
  EXPECT_EQ(say("COUNT"), "2");
}

TEST_F(CollectStore, RestartKeepsRows) {
  EXPECT_EQ(say("d m 1.5 10.25"), "OK");
  open();
  EXPECT_EQ(say("LAST d m"), "1.5 10.25");
  EXPECT_EQ(say("COUNT"), "1");
}

TEST_F(CollectStore, AProcessThatDiesKeepsWhatItSaidOkTo) {
  collect_.reset();
  const pid_t child = fork();
  if (child == 0) {
    auto opened = Collect::open({.path = path_});
    const bool stored = opened.ok() && testing::ask(*opened.value(), "d m 7 7") == "OK";
    _exit(stored ? 0 : 1);  // no destructor runs
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  ASSERT_EQ(status, 0);
  open();
  EXPECT_EQ(say("LAST d m"), "7 7");
}

TEST_F(CollectStore, QueriesRunBesideWriters) {
  constexpr int kThreads = 12;  // more than there are readers
  std::vector<std::thread> threads;
  for (int thread = 0; thread < kThreads; ++thread) {
    threads.emplace_back([&, thread] {
      const std::string key = "device" + std::to_string(thread) + " m";
      for (int row = 1; row <= 20; ++row) {
        const std::string number = std::to_string(row);
        EXPECT_EQ(say(key + " " + number + " " + number), "OK");
        EXPECT_EQ(say("LAST " + key), number + " " + number) << "a query sees every earlier OK";
        EXPECT_TRUE(say("RANGE " + key + " 0 100").starts_with(number + "\n"));
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(say("COUNT"), std::to_string(kThreads * 20));
}

TEST_F(CollectStore, RangeStopsAtTenThousandRows) {
  testing::execute(path_,
                   "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n LIMIT 10001)"
                   "INSERT INTO readings SELECT 'd', 'm', i, i FROM n");
  const std::string all = say("RANGE d m 0 1e9");
  EXPECT_TRUE(all.starts_with("10000\n1 1\n2 2\n")) << all.substr(0, 40);
  EXPECT_TRUE(all.ends_with("\n10000 10000"));
  EXPECT_EQ(say("RANGE d m 10001 1e9"), "1\n10001 10001");
}

TEST_F(CollectStore, SaysWhyAFileCannotBeOpened) {
  const std::string text = directory_.file("text.db");
  std::ofstream(text) << std::string(4096, 'x');
  const std::string foreign = directory_.file("foreign.db");
  testing::execute(foreign, "CREATE TABLE readings(other)");

  const std::pair<std::string, std::string> cases[] = {
      {text, "file is not a database"},
      {foreign, "no such column: device"},
      {directory_.file("missing/readings.db"), "No such file or directory"},
      {directory_.file(""), "unable to open database file"},
  };
  for (const auto& [path, why] : cases) {
    const auto opened = Collect::open({.path = path});
    ASSERT_FALSE(opened.ok()) << path;
    EXPECT_EQ(opened.error().code, tr::Error::Code::kSystem);
    EXPECT_NE(opened.error().message.find(path), std::string::npos) << opened.error().message;
    EXPECT_NE(opened.error().message.find(why), std::string::npos) << opened.error().message;
  }
  const auto unnamed = Collect::open({.path = ""});
  ASSERT_FALSE(unnamed.ok());
  EXPECT_EQ(unnamed.error().code, tr::Error::Code::kUsage);
}

}  // namespace
}  // namespace services
