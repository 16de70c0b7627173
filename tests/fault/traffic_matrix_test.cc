// Goal: whatever fails while a server runs, it lives, serves the others, does not spin, and is
// itself again when the fault has gone. Method: the matrix of tests/fault/expectations.h over the
// calls of traffic. One server for all cells of a site and setup. A cell plans its fault and lets
// clients come, ask and go until the fault has been met as often as planned, or for a while if it
// lasts; then it heals and asks for every answer.
#include <algorithm>
#include <chrono>
#include <deque>

#include "fault/faulty_server.h"

namespace fault { namespace {

using support::wait_until;

constexpr uint64_t kTrafficPositions[] = {1, 2, 7};  // the third is in the middle of a load
constexpr std::chrono::milliseconds kPatience{12};
constexpr std::chrono::milliseconds kWhile{30};  // how long "for ever" is
constexpr int kRoundsMax = 80;

constexpr Site kTrafficSites[] = {
    Site::kAccept, Site::kReceive,  Site::kSend,        Site::kSocketError, Site::kShutdown,
    Site::kClose,  Site::kEpollAdd, Site::kEpollModify, Site::kEpollDelete, Site::kEpollWait,
    Site::kPoll,   Site::kSelect,   Site::kEventSignal, Site::kEventClear};

struct Visitor {
  explicit Visitor(const std::string& url) : client(url) {}
  Client client;
  std::string line;
};

// The others: those who are not visiting must be served although the calls of a site fail.
bool others_are_served_meanwhile(Site site) {
  switch (site) {
    case Site::kReceive:
    case Site::kSend:
    case Site::kEpollWait:
    case Site::kPoll:
    case Site::kSelect:
    case Site::kEventSignal:
    case Site::kEventClear:
      return false;
    default:
      return true;
  }
}

// A share of the cells of a site: those of one setup.
struct Load {
  Site site;
  size_t setup;
};

std::vector<Load> loads() {
  std::vector<Load> all;
  for (const Site site : kTrafficSites) {
    for (size_t setup = 0; setup < setups_of(site).size(); ++setup) all.push_back({site, setup});
  }
  return all;
}

class TrafficMatrix : public ::testing::TestWithParam<Load> {
 protected:
  TrafficMatrix() : site_(GetParam().site), server_(setups_of(GetParam().site)[GetParam().setup]) {}

  void SetUp() override {
    const tr::Result<tr::Done> result = server_.start();
    ASSERT_TRUE(result.ok()) << result.error().message;
  }

  void run_cell(const Cell& cell, const Expectation& expectation) {
    tr::FaultyKernel& kernel = server_.kernel();
    Client other(server_.url());
    Client spare(server_.url());
    ASSERT_TRUE(serves(other));
    ASSERT_TRUE(serves(spare));
    const uint64_t calls = kernel.calls(cell.site), injected = kernel.injected(cell.site);
    const auto begin = support::Clock::now();
    kernel.plan({.site = cell.site, .error = cell.error, .first = cell.first, .times = cell.times});
    const uint64_t wanted = injected + (cell.times == kForEver ? 1 : cell.times);
    rounds_ = 0;
    for (; rounds_ < kRoundsMax && kernel.injected(cell.site) < wanted; ++rounds_) {
      visit(expectation);
      if (rounds_ == 2) spare.close();  // what the Listener waits for, if it waits
    }
    EXPECT_GE(kernel.injected(cell.site), wanted) << "the fault was not met";
    if (others_are_served_meanwhile(cell.site)) {
      EXPECT_TRUE(serves(other, "meanwhile"));
    }
    if (cell.times == kForEver && expectation.bounded) {
      EXPECT_FALSE(other.readable_within(kWhile)) << "the other connection was ended";
      const std::chrono::duration<double> lasted = support::Clock::now() - begin;
      const double calls_max = 40 + 12 * (rounds_ + 3) + 300 * lasted.count();
      EXPECT_LE(static_cast<double>(kernel.calls(cell.site) - calls), calls_max) << "it spins";
    }
    kernel.heal();
    spare.close();
    expect_normal(expectation, kernel.injected(cell.site) - injected, other);
  }

 private:
  // A client that comes, asks and goes. Who is not answered yet stays.
  void visit(const Expectation& expectation) {
    if (site_ == Site::kSocketError) return visit_and_reset();
    if (site_ ==
        Site::kEpollModify) {  // edge-triggered, only the Listener modifies: when it pauses
      server_.kernel().plan({.site = Site::kAccept, .error = EMFILE});
    }
    Visitor& visitor = visitors_.emplace_back(server_.url());
    visitor.line = site_ == Site::kShutdown ? "bye" : "visitor " + std::to_string(rounds_);
    visitor.client.send(visitor.line + "\n");
    if (!visitor.client.readable_within(expectation.bounded ? kPatience : kPatience / 4)) return;
    settle(visitor);
    visitors_.pop_back();
  }

  void settle(Visitor& visitor) {
    const std::string answer = visitor.client.line();
    if (answer == visitor.line) {
      // Who goes before the server has said that it will send no more spares it the call.
      if (site_ == Site::kShutdown) visitor.client.readable_within(kPatience);
      return;
    }
    EXPECT_EQ(answer, "") << "not what was asked for";
    ++ended_;
  }

  // Stops being read, and resets: the one way to a hang-up that nobody reads.
  void visit_and_reset() {
    const tr::Stats before = server_.stats();
    Client client(server_.url());
    client.send("wait\n");
    // Alone: what arrives together may run together, and would not wait in the connection.
    ASSERT_TRUE(wait_until([&] { return server_.stats().requests > before.requests; }));
    client.send(std::string(100, 'x') + "\n");
    ASSERT_TRUE(wait_until([&] { return server_.stats().reads_paused > before.reads_paused; }));
    client.reset();
    ASSERT_TRUE(wait_until([&] { return server_.stats().closed > before.closed; }));
  }

  void expect_normal(const Expectation& expectation, uint64_t injected, Client& other) {
    EXPECT_TRUE(serves(server_.url())) << "a new client after healing";
    EXPECT_TRUE(serves(other, "after")) << "the other connection after healing";
    for (Visitor& visitor : visitors_) {
      EXPECT_TRUE(visitor.client.readable_within(std::chrono::seconds(4))) << "stranded";
      settle(visitor);
    }
    visitors_.clear();
    const uint64_t ended_max = expectation.expect == Expect::kEndsOne ? injected : 0;
    EXPECT_LE(ended_, ended_max) << "connections ended that should not";
    ended_ = 0;
    other.close();
    EXPECT_TRUE(wait_until([&] { return server_.stats().live == 0; }, std::chrono::seconds(4)))
        << server_.stats().live << " connections never ended";
  }

 protected:
  const Site site_;
  FaultyServer server_;

 private:
  std::deque<Visitor> visitors_;  // who wait for their answer
  int rounds_ = 0;
  uint64_t ended_ = 0;  // visitors that were not answered but ended
};

TEST_P(TrafficMatrix, EveryCell) {
  size_t index = 0, count = 0;
  for (const Cell& cell : cells_of(site_, kTrafficPositions)) {
    if (index++ % setups_of(site_).size() != GetParam().setup) continue;
    SCOPED_TRACE(describe(cell));
    const Expectation expectation = expectation_in_traffic(cell.site, cell.error);
    ASSERT_NE(expectation.expect, Expect::kNone) << "no expectation";
    if (expectation.expect == Expect::kAborts) continue;  // misuse_test.cc
    run_cell(cell, expectation);
    ++count;
    if (HasFatalFailure()) return;
  }
  RecordProperty("cells", static_cast<int>(count));
  EXPECT_GT(count, 0u);
}

// A call site or an errno that nobody has thought about cannot come in.
TEST(Expectations, CoverEverySiteAndEveryErrno) {
  for (const Site site : tr::FaultyKernel::sites()) {
    SCOPED_TRACE(tr::FaultyKernel::name_of(site));
    EXPECT_EQ(std::ranges::count(manual_pages(), site, &ManualPage::site), 1);
    for (const Cell& cell : cells_of(site, kTrafficPositions)) {
      const bool expected = expectation_in_traffic(site, cell.error).expect != Expect::kNone ||
                            expectation_at_start(site, cell.error).expect != Expect::kNone;
      EXPECT_TRUE(expected) << describe(cell);
    }
  }
}

std::string name_of_load(const ::testing::TestParamInfo<Load>& info) {
  const auto [site, setup] = info.param;
  std::string name(tr::FaultyKernel::name_of(site));
  std::erase_if(name, [](char c) { return c == '(' || c == ')'; });
  return name + support::name_of({setups_of(site)[setup], 0});
}

INSTANTIATE_TEST_SUITE_P(Sites, TrafficMatrix, ::testing::ValuesIn(loads()), name_of_load);

}  // namespace
}  // namespace fault
