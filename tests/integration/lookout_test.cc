// Goal: where handlers have blocked lately, the next one that waits loses its loop at once, because
// the lookout tells; where the system lets no lookout work, ticks find the same, and nothing
// breaks. Method: a kind that is pinned to the loop and sleeps, counters, and threads whose policy
// or start is refused.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <optional>
#include <string>

#include "runtime/faulty_threads.h"
#include "support/client.h"
#include "support/test_server.h"
#include "trireme/trireme.h"

namespace {

using support::Client;
using support::wait_until;
namespace tr = trireme;
using namespace std::chrono_literals;

int64_t lookouts() {
  const auto names = support::thread_names();
  return std::count(names.begin(), names.end(), "look-0");
}

class LookoutTest : public ::testing::Test {
 protected:
  LookoutTest() : server_(options(), platform_) {
    server_.listen("tcp://127.0.0.1:0", tr::lines(), sleepy, support::pinned_to_the_loop());
    if (!server_.start()) std::abort();
    client_.emplace(server_.urls()[0]);
  }
  ~LookoutTest() override {
    client_.reset();
    server_.drain();
    const char* why = "";
    EXPECT_TRUE(books_balance(server_.stats(), &why)) << why;
  }

  static tr::ServerOptions options() {
    return {.io_workers = 1,
            .dispatch = tr::Dispatch::kAdaptive,
            .log = [](tr::LogLevel, std::string_view) {}};
  }
  static tr::Answer sleepy(const tr::Request& request) {
    if (request.text() == "sleep") support::let_pass(5ms);
    return request.text();
  }

  // One request after the other that sleeps, until so many have lost the loop.
  bool lose(uint64_t count) {
    return wait_until([&] {
      EXPECT_EQ(client_->ask("sleep"), "sleep");
      return server_.stats().hand_overs >= count;
    });
  }

  tr::FaultyThreads threads_{tr::real_platform().threads};
  const tr::Platform platform_{tr::real_platform().kernel, tr::real_platform().clock, threads_};
  tr::Server server_;
  std::optional<Client> client_;
};

#ifndef TRIREME_FORCE_HANDOVER  // there every handler asks for it

TEST_F(LookoutTest, TellsOfAJobThatWaits) {
  EXPECT_EQ(lookouts(), 0) << "nobody has blocked yet";
  ASSERT_TRUE(lose(1));
  EXPECT_TRUE(wait_until([&] {
    EXPECT_EQ(client_->ask("sleep"), "sleep");
    return server_.stats().hand_overs_told >= 3;
  }));
  EXPECT_EQ(lookouts(), 1);
  const tr::Stats stats = server_.stats();
  EXPECT_GT(stats.hand_overs, stats.hand_overs_told) << "the first was found by a tick";
  EXPECT_EQ(stats.hand_overs_asked, 0u);
}

#endif

TEST_F(LookoutTest, IsNotMissedWhereItsPolicyIsRefused) {
  threads_.refuse_idle_policy();
  ASSERT_TRUE(lose(5));
  EXPECT_EQ(server_.stats().hand_overs_told, 0u);
  EXPECT_TRUE(wait_until([] { return lookouts() == 0; }));
}

TEST_F(LookoutTest, IsNotMissedWhereItsThreadDoesNotStart) {
  // Parked threads for the reserve are there after this; the next start is the lookout's.
  threads_.fail_start({.first = 1, .times = 1});
  ASSERT_TRUE(lose(5));
  EXPECT_GE(threads_.injected(), 1u);
  EXPECT_EQ(server_.stats().hand_overs_told, 0u);
}

}  // namespace
