// The defects: a session that had got kFull because the byte budget was used up never heard of its
// timers again, for one timer of the wheel serves both; and while a push was larger than what the
// budget had left, on_writable came again and again at once, before timers and calls.
// Method: a budget that a client which does not read fills, to the point that the test wants.
#include <algorithm>
#include <atomic>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "support/client.h"
#include "support/test_server.h"
#include "support/wait.h"

namespace {

using support::Client;
using support::TestServer;
using support::wait_until;
namespace tr = trireme;
using namespace std::chrono_literals;

constexpr size_t kBudget = 32 << 20;

struct RoomBooks {
  std::mutex mutex;
  std::vector<tr::Peer> peers;
  std::atomic<int> rooms{0}, timers{0}, calls{0}, full{0};
  std::atomic<bool> asks_again{false};
};

class RoomSession {
 public:
  RoomSession(tr::Peer peer, RoomBooks& books) : peer_(std::move(peer)), books_(books) {
    const std::lock_guard lock(books_.mutex);
    books_.peers.push_back(peer_);
  }
  tr::Answer on_request(const tr::Request&) {
    peer_.after(150ms, 1);
    push();
    return "asked";
  }
  void on_writable() {
    ++books_.rooms;
    if (books_.asks_again) push();
  }
  void on_timer(uint64_t) { ++books_.timers; }
  void call() { ++books_.calls; }

 private:
  void push() {
    if (peer_.send(std::string(12 << 20, 'x')) == tr::SendResult::kFull) ++books_.full;
  }
  tr::Peer peer_;
  RoomBooks& books_;
};

class RoomBesideTimers : public support::ServerTest {
 protected:
  RoomBesideTimers() : server_(budget_of(options())) {
    tr::ListenOptions listen;
    listen.limits.write_bytes_high = 2 * kBudget;
    server_.serve<RoomSession>(listen, books_);
    server_.start();
  }
  static tr::ServerOptions budget_of(tr::ServerOptions options) {
    options.buffer_bytes_max = kBudget;
    return options;
  }
  tr::Peer peer(size_t index) {
    EXPECT_TRUE(wait_until([&] { return has_peers(index + 1); }));
    const std::lock_guard lock(books_.mutex);
    return books_.peers.at(index);
  }
  bool has_peers(size_t count) {
    const std::lock_guard lock(books_.mutex);
    return books_.peers.size() >= count;
  }
  // Until `bytes` of the budget are in use.
  void fill(const tr::Peer& hog, int64_t bytes) {
    ASSERT_TRUE(wait_until([&] {
      const int64_t lacks = bytes - server_.stats().buffer_bytes_now;
      if (lacks <= 0) return true;
      hog.send(std::string(static_cast<size_t>(std::min<int64_t>(lacks + 1, 1 << 20)), '.'));
      return false;
    }));
  }

  RoomBooks books_;
  TestServer server_;
};

TEST_P(RoomBesideTimers, ATimerIsToldBehindTheRoom) {
  Client client(server_.url());
  peer(0);
  Client hog(server_.url());
  fill(peer(1), kBudget * 13 / 16);
  EXPECT_EQ(client.ask("x"), "asked");
  EXPECT_EQ(books_.full, 1);
  hog.reset();
  EXPECT_TRUE(wait_until([&] { return books_.rooms == 1; }));
  EXPECT_TRUE(wait_until([&] { return books_.timers == 1; }));
}

TEST_P(RoomBesideTimers, OnWritableDoesNotSpin) {
  books_.asks_again = true;
  Client client(server_.url());
  const tr::Peer mine = peer(0);
  Client hog(server_.url());
  fill(peer(1), kBudget * 11 / 16);  // less than three quarters: there is room, but not for this
  const auto begin = std::chrono::steady_clock::now();
  EXPECT_EQ(client.ask("x"), "asked");
  ASSERT_TRUE(wait_until([&] { return books_.rooms >= 2; }));
  mine.call<RoomSession>([](RoomSession& self) { self.call(); });
  EXPECT_TRUE(wait_until([&] { return books_.timers == 1 && books_.calls == 1; }));
  const auto looks = (std::chrono::steady_clock::now() - begin) / 10ms;  // one each 10 ms
  EXPECT_LE(books_.rooms, looks + 1);
  hog.reset();
}

INSTANTIATE_TEST_SUITE_P(Setups, RoomBesideTimers, ::testing::ValuesIn(support::every_setup()),
                         support::name_of);

}  // namespace
