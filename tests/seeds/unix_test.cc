// Goal: a server at unix sockets keeps its promises under every schedule: all are answered, the
// file goes, the books balance. Method: one world for each seed, whose faults it draws; clients
// that come at once, in a hurry or with a full backlog.
#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <vector>

#include "sim/address.h"
#include "sim/machine.h"
#include "sim/sim_client.h"
#include "trireme/trireme.h"

namespace {

namespace tr = trireme;
namespace sim = trireme::sim;
using namespace std::chrono_literals;

constexpr const char* kPath = "/run/a.sock";
constexpr size_t kLargeBytes = 100'000;

struct Outcome {
  uint64_t hash = 0;
  tr::Stats stats;
};

class World {
 public:
  explicit World(uint64_t seed) : seed_(seed), world_(seed) {}

  Outcome play() {
    world_.run([this] { play_all(); });
    EXPECT_EQ(world_.kernel().open_count(), 0) << seed_;
    EXPECT_TRUE(world_.network().names.empty()) << seed_;
    return {world_.trace_hash(), stats_};
  }

 private:
  void play_all() {
    leave_dead_file();
    tr::Server server({.io_workers = 2, .log = [](tr::LogLevel, std::string_view) {}},
                      world_.platform());
    tr::ListenOptions listen;
    listen.backlog = 2;
    listen.socket.mode = 0600;
    const auto handler = [this](const tr::Request& request) { return answer(request); };
    server.listen("unix:" + std::string(kPath), tr::lines(), handler, listen);
    server.listen("unix:@name", tr::lines(), handler);
    const tr::Result<tr::Done> started = server.start();
    ASSERT_TRUE(started.ok()) << seed_ << ": " << started.error().message;
    EXPECT_EQ(world_.network().names.at(kPath).mode, 0600u);
    std::vector<sim::Machine::Task> clients;
    for (int i = 0; i < 6; ++i) {
      clients.push_back(
          world_.spawn("client", [this, i] { run_client(i % 2 == 0 ? kPath : "@name"); }));
    }
    for (auto& client : clients) client.join();
    world_.calm();
    EXPECT_TRUE(server.drain().empty()) << seed_;
    stats_ = server.stats();
    const char* why = nullptr;
    EXPECT_TRUE(tr::books_balance(stats_, &why)) << seed_ << ": " << why;
  }

  tr::Answer answer(const tr::Request& request) {
    const auto peer = request.peer().credentials();
    EXPECT_TRUE(peer && peer->uid == 1'000 && peer->pid > 1'000) << seed_;
    if (request.text() == "large") return std::string(kLargeBytes, 'x');
    if (request.text() == "slow") world_.sleep_for(3ms);  // why: virtual time
    return request.text();
  }

  // As a server leaves it that was killed.
  void leave_dead_file() {
    tr::Kernel& kernel = world_.platform().kernel;
    const int fd = kernel.socket(AF_UNIX, SOCK_STREAM);
    EXPECT_EQ(kernel.bind(fd, sim::unix_address(kPath)), 0);
    kernel.close(fd);
  }

  void run_client(const std::string& name) {
    sim::SimClient client(world_);
    ASSERT_EQ(client.connect_unix(name), 0) << seed_;
    ASSERT_EQ(client.send_all("a\nslow\nlarge\nb\n"), 0) << seed_;
    client.shutdown_write();
    const auto received = client.receive_until_end();
    EXPECT_TRUE(received.end) << seed_;
    EXPECT_EQ(received.bytes, "a\nslow\n" + std::string(kLargeBytes, 'x') + "\nb\n") << seed_;
  }

  const uint64_t seed_;
  sim::Machine world_;
  tr::Stats stats_;
};

TEST(SimUnixServer, AnswersAll) {
  for (uint64_t seed = 1; seed <= 200; ++seed) {
    const Outcome outcome = World(seed).play();
    EXPECT_EQ(outcome.stats.accepted, 6u) << seed;
    EXPECT_EQ(outcome.stats.replies, 24u) << seed;
    if (HasFailure()) return;
  }
}

TEST(SimUnixServer, DoesTheSameWithTheSameSeed) {
  for (uint64_t seed = 1; seed <= 5; ++seed) {
    EXPECT_EQ(World(seed).play().hash, World(seed).play().hash);
  }
}

}  // namespace
