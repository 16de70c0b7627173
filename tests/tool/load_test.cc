// Goal: a load in parts is one load, and what a server has used is counted to the end of its
// threads. Method: the engine against a server in the test that writes down what it is asked.
#include "tool/bench/load.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "support/test_server.h"
#include "support/wait.h"
#include "tool/bench/clocks.h"
#include "tool/bench/process.h"

namespace bench {
namespace {

// Answers as the service delay does, and keeps every ID.
class Ids {
 public:
  std::string answer(std::string_view line) {
    const std::string id(line.substr(0, line.find(' ')));
    const std::lock_guard lock(mutex_);
    if (!seen_.insert(std::stoull(id)).second) ++doubled_;
    return id;
  }
  std::set<uint64_t> seen() const {
    const std::lock_guard lock(mutex_);
    return seen_;
  }
  int doubled() const {
    const std::lock_guard lock(mutex_);
    return doubled_;
  }

 private:
  mutable std::mutex mutex_;
  std::set<uint64_t> seen_;
  int doubled_ = 0;
};

TEST(BenchLoad, PartsShareConnectionsAndSchedule) {
  Ids ids;
  support::TestServer server({.io_workers = 1});
  server.listen(
      [&ids](const tr::Request& request) -> tr::Answer { return ids.answer(request.text()); });
  server.start();
  const auto endpoint = resolve_url(server.url());
  ASSERT_TRUE(endpoint.ok());
  constexpr uint32_t kParts = 3;
  std::vector<std::unique_ptr<Load>> parts;
  uint32_t connected = 0;
  for (uint32_t part = 0; part < kParts; ++part) {
    parts.push_back(
        std::make_unique<Load>(endpoint.value(), LoadOptions{.scenario = Scenario::kLines,
                                                             .connections = 10,
                                                             .active = 7,
                                                             .depth = 100,
                                                             .rate = 2000,
                                                             .part = part,
                                                             .parts = kParts}));
    ASSERT_TRUE(parts.back()->connect_all()) << parts.back()->tally().problem;
    connected += parts.back()->connected_count();
  }
  EXPECT_EQ(connected, 10u);
  // One schedule for all: when each part has sent what was due by a moment, no ID is left out.
  const int64_t start = now_ns();
  for (auto& part : parts) part->begin_schedule(start);
  const int64_t end = start + 100'000'000;
  Tally all;
  for (auto& part : parts) {
    part->run_until(std::max(end, now_ns() + 1'000'000));
    part->drain(20 * kNanosecondsPerSecond);
    all.merge(part->tally());
  }
  EXPECT_FALSE(all.failed()) << all.problem;
  EXPECT_EQ(ids.doubled(), 0);
  const std::set<uint64_t> seen = ids.seen();
  EXPECT_EQ(seen.size(), all.requests);
  // Due within 100 ms at 2,000 a second: the IDs 0 to 199.
  ASSERT_GE(seen.size(), 200u);
  uint64_t expected = 0;
  for (const uint64_t id : seen) {
    if (expected == 200) break;
    ASSERT_EQ(id, expected++);
  }
}

TEST(BenchLoad, SwitchesOfEndedThreadsCount) {
  SwitchCounter counter(::getpid());
  std::thread thread([&counter] {
    for (int i = 0; i < 20; ++i) support::let_pass(std::chrono::milliseconds(1));
    counter.look();
  });
  thread.join();
  EXPECT_GE(counter.count().voluntary, 20u);
}

}  // namespace
}  // namespace bench
