// Goal: where handlers have blocked lately, the next one that waits loses its loop at once, because
// the lookout tells; where the system lets no lookout work, ticks find the same, and nothing
// breaks. Nobody waits for one that gets no CPU. Method: a kind that is pinned to the loop and
// sleeps, counters, and threads whose policy or start is refused.
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>

#include "support/client.h"
#include "support/faulty_threads.h"
#include "support/gate.h"
#include "support/test_server.h"
#include "trireme/trireme.h"

namespace {

using support::Client;
using support::Gate;
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

// Real threads, but the lookouts get no CPU before the gate opens: as on busy CPUs, only longer.
// Never destroyed, as the real ones: a late lookout may still use them.
class Starving final : public tr::Threads {
 public:
  Gate gate;
  std::atomic<int> started{0}, ended{0};

  std::unique_ptr<tr::Thread> start(std::string_view name, std::function<void()> body,
                                    int& error) override {
    if (!name.starts_with("look-")) return real_.start(name, std::move(body), error);
    ++started;
    return real_.start(
        name,
        [this, body = std::move(body)]() mutable {
          gate.wait();
          body();
          body = nullptr;
          ++ended;
        },
        error);
  }
  bool park(tr::ParkSpot& spot, tr::TimePoint until) override { return real_.park(spot, until); }
  void unpark(tr::ParkSpot& spot) override { real_.unpark(spot); }
  bool try_park(tr::ParkSpot& spot) override { return real_.try_park(spot); }
  void sleep_until(tr::TimePoint until) override { real_.sleep_until(until); }
  void relax() override { real_.relax(); }
  void set_name(std::string_view name) override { real_.set_name(name); }
  bool run_only_when_idle() override { return real_.run_only_when_idle(); }
  uint64_t current_id() override { return real_.current_id(); }
  int allowed_cpus() override { return real_.allowed_cpus(); }
  tr::Duration cpu_time(uint64_t thread) override { return real_.cpu_time(thread); }

 private:
  tr::Threads& real_ = tr::real_platform().threads;
};

TEST(StarvingLookout, DelaysNeitherTheDrainNorTheDestructor) {
  static Starving& threads = *new Starving;
  const Gate::Opener opener(threads.gate);
  static const tr::Platform platform{tr::real_platform().kernel, tr::real_platform().clock, threads,
                                     0, true};
  auto server =
      std::make_unique<tr::Server>(tr::ServerOptions{.io_workers = 1,
                                                     .dispatch = tr::Dispatch::kAdaptive,
                                                     .log = [](tr::LogLevel, std::string_view) {}},
                                   platform);
  server->listen(
      "tcp://127.0.0.1:0", tr::lines(),
      [](const tr::Request& request) -> tr::Answer {
        support::let_pass(5ms);
        return request.text();
      },
      support::pinned_to_the_loop());
  ASSERT_TRUE(server->start());
  {
    Client client(server->urls()[0]);
    ASSERT_TRUE(wait_until([&] { return client.ask("x") == "x" && threads.started == 1; }));
  }
  std::atomic<bool> drained{false}, destroyed{false};
  std::thread end([&] {
    server->drain();
    drained = true;
    server.reset();
    destroyed = true;
  });
  EXPECT_TRUE(wait_until([&] { return drained.load(); }, 5s));
  EXPECT_TRUE(wait_until([&] { return destroyed.load(); }, 5s));
  EXPECT_EQ(threads.ended, 0);
  threads.gate.open();
  end.join();
  // It touches what it always has, and nobody has freed that.
  EXPECT_TRUE(wait_until([&] { return threads.ended == 1; }));
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
