// Goal: an `OK` of `collect` means that the row is on the disk, and many writers share a commit.
// Method: the real program, killed, and traced with strace where there is one.
#include <gtest/gtest.h>
#include <signal.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <set>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "support/child.h"
#include "support/client.h"
#include "support/collect_rounds.h"
#include "support/text.h"

namespace {

using support::Child;
using support::Client;
using support::Scratch;

using support::kAnyPort;

bool has_strace() {
  const std::string command = "strace -o /dev/null -e trace=none true 2>/dev/null";
  return std::system(command.c_str()) == 0;
}

// Every writer sends `rows` rows and waits for each `OK`.
void write_rows(const std::string& url, int writers, int rows) {
  std::vector<std::thread> threads;
  for (int writer = 0; writer < writers; ++writer) {
    threads.emplace_back([&url, rows] {
      Client client(url);
      const std::string device = "port" + std::to_string(client.port());
      for (int i = 1; i <= rows; ++i) {
        ASSERT_EQ(client.ask(device + " row" + std::to_string(i) + ". 1"), "OK");
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
}

TEST(Collect, AnswersOverTheNetwork) {
  Scratch scratch;
  Child child({"serve", "collect", "--listen", kAnyPort, "--db", scratch.file("db")});
  Client client(child.url());
  EXPECT_EQ(client.ask("kitchen celsius 21.5 1000"), "OK");
  EXPECT_EQ(client.ask("kitchen celsius 22.5 1001.5"), "OK");
  EXPECT_EQ(client.ask("LAST kitchen celsius"), "22.5 1001.5");
  EXPECT_EQ(client.ask("LAST cellar celsius"), "NONE");
  EXPECT_EQ(client.ask("COUNT"), "2");
  EXPECT_TRUE(client.ask("kitchen celsius warm").starts_with("ERR "));
  ASSERT_TRUE(client.send("RANGE kitchen celsius 0 2000\n"));
  EXPECT_EQ(client.line(), "2");
  EXPECT_EQ(client.line(), "21.5 1000");
  EXPECT_EQ(client.line(), "22.5 1001.5");
  client.close();
  child.signal(SIGTERM);
  EXPECT_EQ(child.wait_exit(), 0) << child.errors();
}

TEST(Collect, KeepsEveryOkThroughAKill) {
  Scratch scratch;
  support::CollectRounds rounds(scratch.file("db"));
  for (int round = 0; round < 3; ++round) ASSERT_NO_FATAL_FAILURE(rounds.write_and_kill(8, round));
  rounds.expect_all_rows();
}

TEST(Collect, OneCommitForManyWritersOnASlowDisk) {
  if (support::kSanitized) GTEST_SKIP() << "the leak check of a sanitizer cannot be traced";
  if (!has_strace()) GTEST_SKIP() << "strace is missing or may not trace";
  Scratch scratch;
  const std::string trace = scratch.file("trace");
  Child child({"serve", "collect", "--listen", kAnyPort, "--db", scratch.file("db"),
               "--data-workers", "64"},
              {.through = {"strace", "-f", "--seccomp-bpf", "-y", "-qq", "-o", trace, "-e",
                           "trace=fdatasync", "-e", "inject=fdatasync:delay_enter=5000"}});
  ASSERT_FALSE(child.url().empty()) << child.errors();
  constexpr int kWriters = 64, kRows = 20;
  write_rows(child.url(), kWriters, kRows);
  child.signal(SIGTERM);
  ASSERT_EQ(child.wait_exit(), 0) << child.errors();
  int syncs = 0;
  std::ifstream lines(trace);
  for (std::string line; std::getline(lines, line);) {
    syncs +=
        line.find("fdatasync(") != std::string::npos && line.find("-wal>") != std::string::npos;
  }
  EXPECT_GE(syncs, 1);
  constexpr int kOthers = 5;  // before all writers are there, and of checkpoints
  EXPECT_LE(syncs, kWriters * kRows / 16 + kOthers) << "a commit for fewer than 16 rows";
}

// What strace wrote, read line by line: which rows are written, which of them are synced.
class Trace {
 public:
  // False if a client was told OK before its row was synced.
  bool read(const std::string& line) {
    const std::string thread = line.substr(0, line.find(' '));
    const bool wal = line.find("-wal>") != std::string::npos;
    if (wal && line.find(" pwrite64(") != std::string::npos) note_rows(line);
    if (wal && line.find(" fdatasync(") != std::string::npos) syncing_[thread] = written_;
    const bool resumed = line.find("<... fdatasync resumed>") != std::string::npos;
    const bool whole = wal && line.find(" fdatasync(") != std::string::npos &&
                       line.find("<unfinished") == std::string::npos;
    if ((resumed || whole) && line.find("= 0") != std::string::npos && syncing_.contains(thread)) {
      synced_.merge(syncing_[thread]);
      syncing_.erase(thread);
    }
    return is_true_ok(line);
  }
  int oks() const { return oks_; }

 private:
  void note_rows(const std::string& line) {
    for (size_t at = 0; (at = line.find("port", at)) != std::string::npos; ++at) {
      const size_t row = line.find("row", at);
      if (row == std::string::npos || row - at > 12) continue;
      const size_t end = line.find('.', row);
      if (end == std::string::npos || end - row > 8) continue;
      // What stands between the two names is up to the database.
      written_.insert(digits(line.substr(at + 4)) + " " + digits(line.substr(row + 3)));
    }
  }
  static std::string digits(const std::string& text) {
    return text.substr(0, text.find_first_not_of("0123456789"));
  }
  bool is_true_ok(const std::string& line) {
    const bool sends =
        line.find(" sendto(") != std::string::npos || line.find(" sendmsg(") != std::string::npos;
    if (!sends || line.find("\"OK\\n") == std::string::npos) return true;
    const size_t arrow = line.find("->127.0.0.1:");
    if (arrow == std::string::npos) return false;
    const std::string port = digits(line.substr(arrow + 12));
    ++oks_;
    return synced_.contains(port + " " + std::to_string(++oks_of_[port]));
  }

  std::set<std::string> written_, synced_;
  std::map<std::string, std::set<std::string>> syncing_;  // by thread
  std::map<std::string, int> oks_of_;
  int oks_ = 0;
};

TEST(Collect, SendsOkAfterTheSyncOfItsBatch) {
  if (support::kSanitized) GTEST_SKIP() << "the leak check of a sanitizer cannot be traced";
  if (!has_strace()) GTEST_SKIP() << "strace is missing or may not trace";
  Scratch scratch;
  const std::string trace = scratch.file("trace");
  Child child({"serve", "collect", "--listen", kAnyPort, "--db", scratch.file("db")},
              {.through = {"strace", "-f", "--seccomp-bpf", "-yy", "-qq", "-s", "5000", "-o", trace,
                           "-e", "trace=fdatasync,sendto,sendmsg,pwrite64"}});
  ASSERT_FALSE(child.url().empty()) << child.errors();
  write_rows(child.url(), 8, 10);
  child.signal(SIGTERM);
  ASSERT_EQ(child.wait_exit(), 0) << child.errors();
  Trace reader;
  std::ifstream lines(trace);
  for (std::string line; std::getline(lines, line);) {
    ASSERT_TRUE(reader.read(line)) << "OK before the sync of its row: " << line;
  }
  EXPECT_EQ(reader.oks(), 80);
}

}  // namespace
