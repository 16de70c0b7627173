// Goal: lines reach the sink one by one and in order; a sink that blocks holds up nobody, neither
// who writes nor who ends, and what is lost for that is counted and said.
// Method: sinks that wait at a gate; threads that do not start.
#include "runtime/log_thread.h"

#include <gtest/gtest.h>

#include <atomic>
#include <mutex>
#include <set>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "support/faulty_threads.h"
#include "support/gate.h"
#include "support/wait.h"

namespace trireme { inline namespace v0 { namespace {

using std::chrono::milliseconds;
using support::Gate;
using support::wait_until;

// What a sink was given. Copyable handle.
class Given {
 public:
  void add(std::string_view line) const {
    const std::lock_guard lock(state_->mutex);
    state_->lines.emplace_back(line);
    state_->threads.insert(std::this_thread::get_id());
  }
  std::vector<std::string> lines() const {
    const std::lock_guard lock(state_->mutex);
    return state_->lines;
  }
  size_t count() const { return lines().size(); }
  std::set<std::thread::id> threads() const {
    const std::lock_guard lock(state_->mutex);
    return state_->threads;
  }
  LogSink sink() const {
    return [given = *this](LogLevel, std::string_view line) { given.add(line); };
  }
  LogSink sink_behind(Gate gate) const {
    return [given = *this, gate](LogLevel, std::string_view line) {
      given.add(line);
      gate.wait();
    };
  }

 private:
  struct State {
    std::mutex mutex;
    std::vector<std::string> lines;
    std::set<std::thread::id> threads;
  };
  std::shared_ptr<State> state_ = std::make_shared<State>();
};

TEST(LogThread, GivesAllLinesInOrderFromOneThread) {
  constexpr int kLines = 200;
  const Given given;
  {
    const LogThread log(real_platform(), given.sink());
    std::vector<std::thread> writers;
    for (int writer = 0; writer < 4; ++writer) {
      writers.emplace_back([writer, queue = log.queue()] {
        for (int i = 0; i < kLines; ++i) {
          queue(LogLevel::kInfo, std::to_string(writer) + " " + std::to_string(i));
        }
      });
    }
    for (std::thread& writer : writers) writer.join();
  }
  const std::vector<std::string> lines = given.lines();
  ASSERT_EQ(lines.size(), 4u * kLines);
  for (int writer = 0; writer < 4; ++writer) {
    int next = 0;
    for (const std::string& line : lines) {
      if (line[0] != '0' + writer) continue;
      EXPECT_EQ(line, std::to_string(writer) + " " + std::to_string(next++));
    }
  }
  EXPECT_EQ(given.threads().size(), 1u);
  EXPECT_EQ(given.threads().count(std::this_thread::get_id()), 0u);
}

TEST(LogThread, ABlockedSinkHoldsUpNobodyAndLossIsSaid) {
  constexpr size_t kWritten = 5'000;
  const Given given;
  const Gate gate;
  const LogThread log(real_platform(), given.sink_behind(gate));
  const Gate::Opener opener(gate);
  const LogSink queue = log.queue();
  queue(LogLevel::kInfo, "0");
  ASSERT_TRUE(wait_until([&] { return gate.arrived() == 1; }));
  for (size_t i = 1; i < kWritten; ++i) queue(LogLevel::kInfo, std::to_string(i));
  log.flush();  // comes back
  EXPECT_EQ(given.count(), 1u);
  log.flush();  // at once: it is the same call that hangs
  gate.open();
  ASSERT_TRUE(wait_until([&] { return given.count() > 1; }));
  log.flush();
  std::vector<std::string> lines = given.lines();
  const std::string gap = lines.back();
  lines.pop_back();
  ASSERT_EQ(lines.size(), LogThread::kLinesMax + 1);
  for (size_t i = 0; i < lines.size(); ++i) EXPECT_EQ(lines[i], std::to_string(i));
  EXPECT_EQ(gap, std::to_string(kWritten - lines.size()) +
                     " log lines before this one were dropped: nobody took them");
  queue(LogLevel::kInfo, "flows again");
  log.flush();
  EXPECT_EQ(given.lines().back(), "flows again");
  EXPECT_EQ(given.count(), lines.size() + 2);
}

TEST(LogThread, TheGapIsSaidWhereItIs) {
  const Given given;
  const Gate gate;
  const LogThread log(real_platform(), given.sink_behind(gate));
  const Gate::Opener opener(gate);
  const LogSink queue = log.queue();
  queue(LogLevel::kInfo, "first");
  ASSERT_TRUE(wait_until([&] { return gate.arrived() == 1; }));
  // By bytes, and cut: a line never takes more than its part.
  const std::string large(LogThread::kBytesMax, 'x');
  const size_t fitting = LogThread::kBytesMax / (LogThread::kLineBytesMax + 3);
  for (size_t i = 0; i < fitting + 7; ++i) queue(LogLevel::kInfo, large);
  gate.open();
  log.flush();
  queue(LogLevel::kInfo, "last");
  log.flush();
  const std::vector<std::string> lines = given.lines();
  ASSERT_EQ(lines.size(), 1 + fitting + 2);
  EXPECT_EQ(lines[1], large.substr(0, LogThread::kLineBytesMax) + "...");
  EXPECT_EQ(lines[lines.size() - 2], "7 log lines before this one were dropped: nobody took them");
  EXPECT_EQ(lines.back(), "last");
}

TEST(LogThread, ASinkThatHangsIsLeftAloneAtTheEnd) {
  const Given given;
  const Gate gate;
  const Gate::Opener opener(gate);
  LogSink outlives;
  const auto begin = support::Clock::now();
  {
    const LogThread log(real_platform(), given.sink_behind(gate));
    outlives = log.queue();
    outlives(LogLevel::kInfo, "hangs");
    outlives(LogLevel::kInfo, "never comes");
  }
  EXPECT_LT(support::Clock::now() - begin, support::kDeadline);
  EXPECT_GE(support::Clock::now() - begin, milliseconds(200));
  outlives(LogLevel::kInfo, "too late");
  gate.open();
  support::let_pass(milliseconds(20));
  EXPECT_EQ(given.lines(), std::vector<std::string>{"hangs"});
}

// As long as it takes lines it is waited for, but not for ever.
TEST(LogThread, ASlowSinkIsWaitedForWithABound) {
  const auto shared = std::make_shared<std::atomic<int>>(0);
  const auto begin = support::Clock::now();
  {
    const LogThread log(real_platform(), [shared](LogLevel, std::string_view) {
      support::let_pass(milliseconds(30));
      shared->fetch_add(1);
    });
    for (int i = 0; i < 1'000; ++i) log.queue()(LogLevel::kInfo, "slow");
  }
  EXPECT_GE(shared->load(), 2);
  EXPECT_LT(shared->load(), 1'000);
  EXPECT_GE(support::Clock::now() - begin, milliseconds(500));
}

TEST(LogThread, ASinkThatThrowsLosesThatLine) {
  const Given given;
  {
    const LogThread log(real_platform(), [given](LogLevel, std::string_view line) {
      if (line == "bad") throw std::runtime_error("disk full");
      given.add(line);
    });
    for (const char* line : {"one", "bad", "two"}) log.queue()(LogLevel::kInfo, line);
  }
  EXPECT_EQ(given.lines(), (std::vector<std::string>{"one", "two"}));
}

// A server has better use for the last thread than the log: lines wait, and are not lost.
TEST(LogThread, WithoutAThreadLinesWaitForTheNextTryOrTheEnd) {
  FaultyThreads threads(real_platform().threads);
  const Platform platform{real_platform().kernel, real_platform().clock, threads};
  const Given given;
  {
    const LogThread log(platform, given.sink());
    threads.fail_start({.times = FaultyThreads::kForEver});
    log.queue()(LogLevel::kInfo, "one");
    EXPECT_EQ(given.count(), 0u);
    threads.heal();
    log.queue()(LogLevel::kInfo, "two");
    EXPECT_TRUE(wait_until([&] { return given.count() == 2; }));
  }
  {
    const LogThread log(platform, given.sink());
    threads.fail_start({.times = FaultyThreads::kForEver});
    log.queue()(LogLevel::kInfo, "three");
  }
  EXPECT_EQ(given.lines(), (std::vector<std::string>{"one", "two", "three"}));
}

}  // namespace
}}  // namespace trireme
