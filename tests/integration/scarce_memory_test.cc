// Goal: a system that has less memory than the budget costs connections, counted as such, and never
// the process.
// Method: a server in a process of its own, whose RLIMIT_DATA is lowered to what it has and a
// little more; then clients that make it keep much more than that.
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cstdio>
#include <fstream>
#include <string>
#include <vector>

#include "support/client.h"
#include "support/gate.h"
#include "support/test_server.h"

namespace {

using support::Client;
using support::Gate;
using support::wait_until;
namespace tr = trireme;
using namespace std::chrono_literals;

enum class Flood : uint8_t {
  kParts,    // of lines that never end: input
  kJobs,     // requests that wait for a data worker, or for the loop
  kReplies,  // that nobody reads
  kPushes,   // likewise
};

struct Case {
  support::Setup setup;
  Flood flood;
};

constexpr size_t kMore = 24 << 20;
constexpr int kClients = 60;

void lower_limit() {
  std::ifstream status("/proc/self/status");
  std::string word;
  size_t kilobytes = 0;
  while (status >> word && word != "VmData:") {
  }
  status >> kilobytes;
  const rlimit limit{(kilobytes << 10) + kMore, RLIM_INFINITY};
  ::setrlimit(RLIMIT_DATA, &limit);
}

// What one client of the flood sends, of which most may not be taken.
std::string text_of(Flood flood) {
  if (flood == Flood::kParts) return std::string(900 << 10, 'x');
  std::string text;
  const std::string line =
      flood == Flood::kJobs ? "wait " + std::string(100 << 10, 'x') + "\n" : "large\n";
  for (int i = 0; i < 16; ++i) text += flood == Flood::kPushes ? "push\n" : line;
  return text;
}

tr::Answer handle(const tr::Request& request, const Gate& gate) {
  if (request.text().starts_with("wait")) gate.wait();
  if (request.text() == "large") return std::string(500 << 10, 'y');
  if (request.text() == "push") {
    tr::SendResult result = tr::SendResult::kQueued;
    for (int i = 0; i < 16 && result == tr::SendResult::kQueued; ++i) {
      result = request.peer().send(std::string(100 << 10, 'y'), tr::Overflow::kReject);
    }
  }
  return "ok";
}

// The exit status: 0 if all is well.
int survive(const Case& given) {
  const Gate gate;
  tr::ServerOptions options = support::options_of(given.setup);
  options.data_workers = 2;
  options.buffer_bytes_max = size_t{1} << 30;
  options.linger_time_max = 50ms;
  options.drain_time_max = 10s;
  options.log = [](tr::LogLevel, std::string_view) {};
  tr::Server server(options);
  tr::ListenOptions listen;
  listen.limits.write_bytes_high = 64 << 20;
  listen.limits.read_ahead_bytes_max = 4 << 20;
  listen.ordering = tr::Ordering::kPipelined;
  server.listen(
      "tcp://127.0.0.1:0", tr::lines(),
      [gate](const tr::Request& request) { return handle(request, gate); }, listen);
  if (!server.start().ok()) return 1;
  const Gate::Opener opener(gate);
  const std::string text = text_of(given.flood);
  std::vector<Client> clients;
  for (int i = 0; i < kClients; ++i) {
    clients.emplace_back(server.urls()[0], Client::Options{.receive_buffer_bytes = 4096});
  }
  if (Client(server.urls()[0]).ask("x") != "ok") return 2;
  lower_limit();
  for (Client& client : clients) client.send_until_full(text, 0ms);
  // Handlers are told in their way: what they cannot allocate throws, and a push is refused.
  const bool costs_connections = given.flood == Flood::kParts || given.flood == Flood::kJobs;
  const auto closed = [&] {
    return server.stats().closed_by_reason[static_cast<size_t>(tr::CloseReason::kOutOfMemory)];
  };
  if (costs_connections && !wait_until([&] { return closed() > 0; })) return 3;
  gate.open();
  clients.clear();
  if (!wait_until([&] { return Client(server.urls()[0]).ask("x") == "ok"; })) return 4;
  if (!server.drain().empty()) return 5;
  const char* why = nullptr;
  if (!tr::books_balance(server.stats(), &why)) {
    std::fprintf(stderr, "%s do not balance\n", why);
    return 6;
  }
  return 0;
}

class ScarceMemoryDeathTest : public ::testing::TestWithParam<Case> {
 protected:
  static void SetUpTestSuite() { GTEST_FLAG_SET(death_test_style, "threadsafe"); }
};

TEST_P(ScarceMemoryDeathTest, CostsConnectionsAndNeverTheProcess) {
  if (support::kSanitized) GTEST_SKIP() << "a sanitizer needs memory of its own";
  EXPECT_EXIT(::_exit(survive(GetParam())), ::testing::ExitedWithCode(0), "");
}

std::vector<Case> cases() {
  std::vector<Case> all;
  std::vector<support::Setup> setups = {{tr::Dispatch::kInline, tr::DriverKind::kEpoll, 1},
                                        {tr::Dispatch::kWorkers, tr::DriverKind::kEpollEdge, 1},
                                        {tr::Dispatch::kAdaptive, tr::DriverKind::kPoll, 1}};
  if (support::has_uring()) {
    setups.push_back({tr::Dispatch::kWorkers, tr::DriverKind::kEpoll, 1, true});
  }
  for (const support::Setup& setup : setups) {
    for (const Flood flood : {Flood::kParts, Flood::kJobs, Flood::kReplies, Flood::kPushes}) {
      // One loop that waits at the gate takes no further request; of a ring the events of a turn
      // are memory that must be there.
      const bool waits = setup.dispatch == tr::Dispatch::kInline || setup.uring;
      if (flood == Flood::kJobs && waits) continue;
      all.push_back({setup, flood});
    }
  }
  return all;
}

std::string name_of(const ::testing::TestParamInfo<Case>& given) {
  static constexpr const char* kNames[] = {"Parts", "Jobs", "Replies", "Pushes"};
  return support::name_of({given.param.setup, 0}) + kNames[static_cast<size_t>(given.param.flood)];
}

INSTANTIATE_TEST_SUITE_P(Floods, ScarceMemoryDeathTest, ::testing::ValuesIn(cases()), name_of);

// What is not chosen is half of what the process may use. The exit status of a start.
int start_with_little() {
  const rlimit limit{200 << 20, RLIM_INFINITY};
  ::setrlimit(RLIMIT_DATA, &limit);
  tr::Server server({.io_workers = 1});
  server.listen("tcp://127.0.0.1:0", tr::lines(), support::mark);
  if (!server.start().ok()) return 1;
  server.drain();
  return 0;
}

TEST(DefaultBudgetDeathTest, HeedsWhatTheSystemGrants) {
  if (support::kSanitized) GTEST_SKIP() << "a sanitizer needs memory of its own";
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_EXIT(::_exit(start_with_little()), ::testing::ExitedWithCode(0),
              "the byte budget is 104857600");
}

}  // namespace
