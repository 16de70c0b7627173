// Goal: handshakes stall nobody: they run where no loop is held, and such as never go on cost
// bounded memory until their clock is over.
// Method: a layer around TLS that writes down which thread computes; many clients at once;
// clients that send a hello and nothing more.
#include <pthread.h>

#include <array>
#include <atomic>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "tls/stalled.h"
#include "trireme/tls.h"

namespace {

namespace tr = trireme;
using support::Client;

struct Counts {
  std::atomic<uint64_t> on_workers{0};
  std::atomic<uint64_t> elsewhere{0};
  std::atomic<uint64_t> opened_by_job{0};
  std::atomic<uint64_t> opened_otherwise{0};
};

// TLS, and who does what of it.
class Watched final : public tr::TransportLayer {
 public:
  Watched(std::unique_ptr<tr::TransportLayer> inner, Counts& counts)
      : inner_(std::move(inner)), counts_(counts) {}

  tr::LayerState receive(std::string_view& bytes, bool ended, tr::LayerOutput& out) override {
    const tr::LayerState state = inner_->receive(bytes, ended, out);
    if (state == tr::LayerState::kOpen && !is_open_) ++counts_.opened_otherwise;
    return state;
  }
  tr::LayerState compute(tr::LayerOutput& out) override {
    std::array<char, 16> name{};
    pthread_getname_np(pthread_self(), name.data(), name.size());
    const bool is_worker = std::string_view(name.data()).starts_with("layer-");
    ++(is_worker ? counts_.on_workers : counts_.elsewhere);
    const tr::LayerState state = inner_->compute(out);
    is_open_ = state == tr::LayerState::kOpen;
    if (is_open_) ++counts_.opened_by_job;
    return state;
  }
  bool send(std::string_view plain, std::string& to_peer) override {
    return inner_->send(plain, to_peer);
  }
  void finish_sending(std::string& to_peer) override { inner_->finish_sending(to_peer); }
  size_t bytes_held() const override { return inner_->bytes_held(); }
  std::string failure() const override { return inner_->failure(); }

 private:
  const std::unique_ptr<tr::TransportLayer> inner_;
  Counts& counts_;
  bool is_open_ = false;
};

class WatchedFactory final : public tr::LayerFactory {
 public:
  explicit WatchedFactory(Counts& counts) : counts_(counts) {}
  std::string_view name() const override { return "tls"; }
  std::unique_ptr<tr::TransportLayer> make(std::string_view peer) const override {
    return std::make_unique<Watched>(support::tls_of_tests()->make(peer), counts_);
  }

 private:
  Counts& counts_;
};

class HandshakesTest : public ::testing::TestWithParam<tr::Dispatch> {};

TEST_P(HandshakesTest, RunOnNoThreadThatHoldsALoop) {
  Counts counts;
  tr::Server server({.io_workers = 2, .dispatch = GetParam(), .log = [](auto, auto) {}});
  tr::ListenOptions listen;
  listen.tls = std::make_shared<WatchedFactory>(counts);
  server.listen("tls://127.0.0.1:0", tr::lines(), support::mark, listen);
  ASSERT_TRUE(server.start());
  constexpr int kThreads = 4;
  const int each = support::scaled(200);
  std::atomic<int> wrong{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < kThreads; ++i) {
    threads.emplace_back([&] {
      for (int k = 0; k < each; ++k) {
        if (Client(server.urls()[0]).ask("hello") != "<hello>") ++wrong;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wrong, 0);
  const auto all = static_cast<uint64_t>(kThreads) * static_cast<uint64_t>(each);
  EXPECT_EQ(counts.opened_by_job, all);
  EXPECT_EQ(counts.opened_otherwise, 0u);
  EXPECT_GE(counts.on_workers, 2 * all);  // its hello, and its last flight
  EXPECT_EQ(counts.elsewhere, 0u);
  EXPECT_EQ(server.stats().layer_steps_on_workers, counts.on_workers);
  EXPECT_EQ(server.stats().layer_steps_inline, 0u);
  EXPECT_TRUE(server.drain().empty());
}

TEST_P(HandshakesTest, ThatStallCostLittleAndAreCut) {
  support::stall({.count = support::kSanitized ? 100u : 300u,
                  .handshake_time_max = std::chrono::seconds(3),
                  .bytes_max = 44 << 10},
                 GetParam());
}

INSTANTIATE_TEST_SUITE_P(Policies, HandshakesTest,
                         ::testing::Values(tr::Dispatch::kAdaptive, tr::Dispatch::kWorkers),
                         [](const auto& which) {
                           return std::string(which.param == tr::Dispatch::kAdaptive ? "Adaptive"
                                                                                     : "Workers");
                         });

}  // namespace
