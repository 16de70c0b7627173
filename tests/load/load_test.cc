// Goal: a load in parts is one load, and what a server has used is counted to the end of its
// threads. Method: the engine against a server in the test that writes down what it is asked.
#include "load/load.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "load/clocks.h"
#include "load/process.h"
#include "support/test_server.h"
#include "support/wait.h"

namespace load { namespace {

// Answers as the service delay does, and keeps every ID.
class Ids {
 public:
  std::string answer(std::string_view line) {
    const std::string id(line.substr(0, line.find(' ')));
    const std::lock_guard lock(mutex_);
    if (!seen_.insert(std::stoull(id)).second) ++doubled_;
    return id;
  }
  uint64_t first_missing() const {
    const std::lock_guard lock(mutex_);
    uint64_t id = 0;
    while (seen_.contains(id)) ++id;
    return id;
  }
  uint64_t count() const {
    const std::lock_guard lock(mutex_);
    return seen_.size();
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
  const int64_t start = now_ns();
  for (auto& part : parts) part->begin_schedule(start);
  // One schedule for all: in time each part sends what it owes, and no ID is left out.
  EXPECT_TRUE(support::wait_until([&] {
    for (auto& part : parts) part->run_until(now_ns() + 5'000'000);
    return ids.first_missing() >= 200;
  })) << ids.first_missing();
  Tally all;
  for (auto& part : parts) {
    part->drain(20 * kNanosecondsPerSecond);
    all.merge(part->tally());
  }
  EXPECT_FALSE(all.failed()) << all.problem;
  EXPECT_EQ(ids.doubled(), 0);
  EXPECT_EQ(ids.count(), all.requests);
  // At 2,000 a second the first 200 take 100 ms.
  EXPECT_GE(now_ns() - start, 99'000'000);
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
}  // namespace load
