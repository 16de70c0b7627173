// Goal: `collect` behind a server: rows that wait for the disk hold no thread, and no browser
// stores one. Method: a whole server with few data workers, clients on real sockets, a disk that
// stands still.
#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <string>
#include <utility>

#include "disk_faults.h"
#include "services/collect.h"
#include "support.h"
#include "support/client.h"

namespace services { namespace {

using support::Client;
using testing::DiskFaults;
using testing::eventually;

class CollectServer : public ::testing::TestWithParam<tr::Dispatch> {
 protected:
  void SetUp() override {
    DiskFaults::get().reset();
    auto opened = Collect::open({.path = directory_.file("readings.db")});
    ASSERT_TRUE(opened.ok()) << opened.error().message;
    collect_ = std::move(opened.value());
    server_ = std::make_unique<tr::Server>(tr::ServerOptions{
        .io_workers = 1, .data_workers = 2, .dispatch = GetParam(), .log = quiet_});
    add_collect(*server_, *collect_, "tcp://127.0.0.1:0", {.ordering = tr::Ordering::kPipelined});
    add_collect(
        *server_, *collect_, "tcp://127.0.0.1:0",
        {.handler_time_max = std::chrono::milliseconds(50), .ordering = tr::Ordering::kPipelined});
    ASSERT_TRUE(server_->start().ok());
  }
  void TearDown() override {
    DiskFaults::get().reset();
    server_.reset();
  }
  std::string url() const { return server_->urls()[0]; }
  std::string url_with_deadline() const { return server_->urls()[1]; }

  const tr::LogSink quiet_ = [](tr::LogLevel, std::string_view) {};
  testing::ScratchDirectory directory_;
  std::unique_ptr<Collect> collect_;
  std::unique_ptr<tr::Server> server_;  // before what it serves goes
};

// A sync that takes until the test says so.
class HeldDisk {
 public:
  HeldDisk() {
    DiskFaults::get().on_sync([this] {
      ++syncs_;
      eventually([this] { return !held_; });
      return 0;
    });
  }
  ~HeldDisk() {
    release();
    DiskFaults::get().on_sync({});
  }
  bool is_syncing() const { return syncs_ > 0; }
  void release() { held_ = false; }

 private:
  std::atomic<bool> held_{true};
  std::atomic<int> syncs_{0};
};

TEST_P(CollectServer, QueriesAreAnsweredWhileRowsWaitForTheDisk) {
  constexpr int kRows = 40;  // many more than data workers
  Client writer(url()), reader(url());
  EXPECT_EQ(writer.ask("d m 1 1"), "OK");
  HeldDisk disk;
  ASSERT_TRUE(writer.send("d m 2 2\n"));
  ASSERT_TRUE(eventually([&] { return disk.is_syncing(); }));
  for (int row = 1; row < kRows; ++row) ASSERT_TRUE(writer.send("d m 2 2\n"));
  ASSERT_TRUE(eventually([&] { return collect_->counters().waiting_rows == kRows - 1; }));
  EXPECT_EQ(reader.ask("LAST d m"), "1 1");
  EXPECT_EQ(reader.ask("COUNT"), "1");
  disk.release();
  for (int row = 0; row < kRows; ++row) EXPECT_EQ(writer.line(), "OK");
  EXPECT_EQ(reader.ask("LAST d m"), "2 2") << "after the OK";
}

TEST_P(CollectServer, ADeadlineIsHeardOfWhileTheDiskStandsStill) {
  Client first(url()), late(url_with_deadline());
  HeldDisk disk;
  ASSERT_TRUE(first.send("d m 1 1\n"));
  ASSERT_TRUE(eventually([&] { return disk.is_syncing(); }));
  EXPECT_TRUE(late.ask("d m 2 2").starts_with("ERR "));
  disk.release();
  EXPECT_EQ(first.line(), "OK");
  EXPECT_TRUE(eventually([&] { return collect_->counters().expired_rows == 1; }));
  EXPECT_EQ(first.ask("COUNT"), "1") << "the row was not stored behind its client's back";
}

TEST_P(CollectServer, APageOfABrowserStoresNothing) {
  Client browser(url());
  ASSERT_TRUE(
      browser.send("POST / HTTP/1.1\r\nHost: localhost:7000\r\n"
                   "Content-Type: text/plain\r\nContent-Length: 14\r\n\r\n"
                   "d m 666\nd m 666\n"));
  EXPECT_EQ(browser.receive_all(), "ERR this is no HTTP server\n");
  Client client(url());
  EXPECT_EQ(client.ask("COUNT"), "0");
  EXPECT_EQ(client.ask("HTTP/1.1 HTTP/1.1"), client.ask("x")) << "two words are none of its lines";
}

TEST_P(CollectServer, ADrainWaitsForRowsThatWait) {
  Client client(url());
  std::string answers;
  {
    HeldDisk disk;
    ASSERT_TRUE(client.send("d m 1 1\nd m 2 2\n"));
    ASSERT_TRUE(eventually([&] { return disk.is_syncing(); }));
    server_->request_stop();
    disk.release();
    answers = client.receive_all();
  }
  EXPECT_EQ(answers, "OK\nOK\n");
}

INSTANTIATE_TEST_SUITE_P(Every, CollectServer,
                         ::testing::Values(tr::Dispatch::kAdaptive, tr::Dispatch::kInline,
                                           tr::Dispatch::kWorkers),
                         [](const auto& given) {
                           const tr::Dispatch dispatch = given.param;
                           return dispatch == tr::Dispatch::kInline    ? "Inline"
                                  : dispatch == tr::Dispatch::kWorkers ? "Workers"
                                                                       : "Adaptive";
                         });

}  // namespace
}  // namespace services
