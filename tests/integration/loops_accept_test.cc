// Goal: event loops that accept by themselves share a port, need no Listener, refuse what cannot be
// at start, and leave nothing behind. (That they keep all other promises is said by the suites over
// support::every_setup().) Method: servers in the test's process; inline handlers tell the loop.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <functional>
#include <memory>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "runtime/drivers/driver_factory.h"
#include "support/child.h"
#include "support/client.h"
#include "support/gate.h"
#include "support/test_server.h"
#include "support/wait.h"

#ifdef TRIREME_HAS_URING
#include "trireme/uring.h"
#endif

namespace {

using support::Client;
using support::wait_until;
namespace tr = trireme;

constexpr const char* kAnywhere = "tcp://127.0.0.1:0";

class LoopsAccept : public ::testing::TestWithParam<bool> {
 protected:
  bool on_uring() const { return GetParam(); }
  // Loops on epoll, or on io_uring.
  tr::ServerOptions loops(int count) const {
    tr::ServerOptions options{.io_workers = count,
                              .dispatch = tr::Dispatch::kInline,
                              .log = [](tr::LogLevel, std::string_view) {}};
#ifdef TRIREME_HAS_URING
    if (on_uring()) {
      EXPECT_TRUE(tr::use_io_uring(options).ok());
    }
#endif
    return options;
  }
};

std::vector<bool> with_and_without_uring() {
  return support::has_uring() ? std::vector<bool>{false, true} : std::vector<bool>{false};
}

INSTANTIATE_TEST_SUITE_P(Drivers, LoopsAccept, ::testing::ValuesIn(with_and_without_uring()),
                         [](const auto& test) { return test.param ? "Uring" : "Epoll"; });

const tr::ListenOptions kByLoops = {.accepting = tr::Accepting::kLoops};

// The thread that the handler runs on: that of the loop.
tr::Answer name_thread(const tr::Request&) {
  return std::to_string(std::hash<std::thread::id>()(std::this_thread::get_id()));
}

// Each of them gets `reply`, in whatever order, and leaves then.
void expect_all_served(std::vector<Client>& clients, const std::string& reply) {
  size_t served = 0;
  EXPECT_TRUE(wait_until([&] {
    for (Client& client : clients) {
      if (!client.connected() || !client.readable_within(std::chrono::milliseconds(0))) continue;
      EXPECT_EQ(client.receive(reply.size()), reply);
      client.close();
      ++served;
    }
    return served == clients.size();
  })) << served;
}

bool has_listener_thread() {
  const std::vector<std::string> names = support::thread_names();
  return std::find(names.begin(), names.end(), "listener") != names.end();
}

std::string refused(tr::Server& server, tr::Error::Code code) {
  const tr::Result<tr::Done> result = server.start();
  if (result.ok()) return "it has started";
  EXPECT_EQ(result.error().code, code);
  return result.error().message;
}

// Everything but accepting, which nobody asks of it.
class DeafDriver final : public tr::Driver {
 public:
  Traits traits() const override { return {.name = "deaf"}; }
  void wait(tr::TimePoint, tr::TimePoint) override {}
  bool next(tr::Completion&) override { return false; }
  bool ready() const override { return false; }
  bool drained() const override { return true; }
  int attach(tr::Channel&, tr::Channel::Role, int) override { return -EOPNOTSUPP; }
  void receive(tr::Channel&) override {}
  void pause(tr::Channel&) override {}
  tr::Sent send(tr::Channel&, std::span<const iovec>) override { return {}; }
  tr::Sent send_file(tr::Channel&, const tr::FilePart&) override { return {}; }
  void shutdown_write(tr::Channel&) override {}
  void close(tr::Channel&) override {}
  size_t bytes_readable(const tr::Channel&) override { return 0; }
  size_t bytes_unsent(const tr::Channel&) override { return 0; }
  tr::Waiting waiting(const tr::Channel&) override { return {}; }
  tr::Block swap_read_buffer(tr::Block) override { return {}; }
  void set_receive_bytes_max(size_t) override {}
  bool wake() noexcept override { return true; }
};

struct DeafDrivers final : tr::DriverFactory {
  std::unique_ptr<tr::Driver> make(tr::Kernel&, tr::Buffers&, tr::LoopCounters&,
                                   int&) const override {
    return std::make_unique<DeafDriver>();
  }
};

TEST_P(LoopsAccept, TheKernelSpreadsClientsAndThereIsNoListener) {
  tr::Server server(loops(4));
  server.listen(kAnywhere, tr::lines(), name_thread, kByLoops);
  ASSERT_TRUE(server.start().ok());
  EXPECT_FALSE(has_listener_thread());
  std::set<std::string> threads;
  for (int i = 0; i < 200 && threads.size() < 4; ++i) {
    threads.insert(Client(server.urls()[0]).ask("who"));
  }
  EXPECT_EQ(threads.size(), 4u);
  server.drain();
  EXPECT_TRUE(tr::books_balance(server.stats(), nullptr));
}

TEST_P(LoopsAccept, EveryAddressIsSharedToo) {
  tr::Server server(loops(3));
  server.listen("tcp://:0", tr::lines(), support::mark, kByLoops);
  ASSERT_TRUE(server.start().ok());
  const std::string port = server.urls()[0].substr(server.urls()[0].rfind(':'));
  for (int i = 0; i < 10; ++i) {
    EXPECT_EQ(Client("tcp://127.0.0.1" + port).ask("4"), "<4>");
    EXPECT_EQ(Client("tcp://[::1]" + port).ask("6"), "<6>");
  }
}

// One listener of each kind: the choice of the Listener counts what the loops have taken.
TEST_P(LoopsAccept, BesideAListener) {
  tr::Server server(loops(2));
  server.listen(kAnywhere, tr::lines(), name_thread, kByLoops);
  server.listen(kAnywhere, tr::lines(), name_thread);
  ASSERT_TRUE(server.start().ok());
  EXPECT_TRUE(wait_until(has_listener_thread));  // it names itself
  std::vector<Client> crowd;                     // all on one loop
  std::string crowded;
  for (int tries = 0; tries < 1000 && crowd.size() < 5; ++tries) {
    Client client(server.urls()[0]);
    const std::string thread = client.ask("who");
    if (crowded.empty()) crowded = thread;
    if (thread == crowded) crowd.push_back(std::move(client));
  }
  ASSERT_EQ(crowd.size(), 5u);
  ASSERT_TRUE(wait_until([&] { return server.stats().live == 5; }));
  std::vector<Client> placed;
  for (int i = 0; i < 4; ++i) {
    placed.emplace_back(server.urls()[1]);
    EXPECT_NE(placed.back().ask("who"), crowded);
  }
}

TEST_P(LoopsAccept, APortInUseIsRefused) {
  const size_t descriptors = support::open_descriptors();
  for (const tr::Accepting first : {tr::Accepting::kListener, tr::Accepting::kLoops}) {
    for (const tr::Accepting second : {tr::Accepting::kListener, tr::Accepting::kLoops}) {
      tr::Server server(loops(2)), other(loops(2));
      server.listen(kAnywhere, tr::lines(), support::mark, {.accepting = first});
      ASSERT_TRUE(server.start().ok());
      // The first endpoint is free: it is opened, and closed again.
      other.listen(kAnywhere, tr::lines(), support::mark, {.accepting = second});
      other.listen(server.urls()[0], tr::lines(), support::mark, {.accepting = second});
      EXPECT_NE(refused(other, tr::Error::Code::kSystem).find("is in use"), std::string::npos);
      EXPECT_EQ(Client(server.urls()[0]).ask("x"), "<x>");
      EXPECT_FALSE(Client(other.urls()[0]).connected());
    }
  }
  EXPECT_EQ(support::open_descriptors(), descriptors);
}

// A component may bring a driver that does not.
TEST(LoopsAcceptNot, ADriverThatDoesNotAcceptIsRefused) {
  tr::ServerOptions options{.io_workers = 1};
  options.driver = tr::DriverChoice(std::make_shared<DeafDrivers>());
  tr::Server server(options);
  server.listen(kAnywhere, tr::lines(), support::mark, kByLoops);
  EXPECT_NE(refused(server, tr::Error::Code::kUsage).find("let the Listener"), std::string::npos);
}

TEST_P(LoopsAccept, TheLimitHoldsForAllLoopsTogether) {
  tr::ServerOptions options = loops(3);
  options.connections_max = 5;
  tr::Server server(options);
  server.listen(kAnywhere, tr::lines(), support::mark, kByLoops);
  ASSERT_TRUE(server.start().ok());
  std::vector<Client> clients;
  for (int i = 0; i < 40; ++i) {
    clients.emplace_back(server.urls()[0]);
    ASSERT_TRUE(clients.back().send("x\n"));
  }
  size_t served = 0;
  EXPECT_TRUE(wait_until([&] {
    EXPECT_LE(server.stats().live, 5u);
    for (Client& client : clients) {
      if (!client.connected() || !client.readable_within(std::chrono::milliseconds(0))) continue;
      EXPECT_EQ(client.line(), "<x>");
      client.close();
      ++served;
    }
    return served == clients.size();
  })) << served;
  EXPECT_GE(server.stats().accept_pauses, 1u);
  server.drain();
  const char* why = nullptr;
  EXPECT_TRUE(tr::books_balance(server.stats(), &why)) << why;
}

// More clients than places, and then the end: those who were never admitted are not kept.
TEST_P(LoopsAccept, AFullServerEndsWithoutLeavingAnythingBehind) {
  const size_t descriptors = support::open_descriptors();
  {
    tr::ServerOptions options = loops(2);
    options.connections_max = 3;
    tr::Server server(options);
    server.listen(kAnywhere, tr::lines(), support::mark, kByLoops);
    ASSERT_TRUE(server.start().ok());
    std::vector<Client> clients;
    for (int i = 0; i < 30; ++i) clients.emplace_back(server.urls()[0]);
    ASSERT_TRUE(wait_until([&] { return server.stats().accept_pauses > 0; }));
    server.drain();
    const char* why = nullptr;
    EXPECT_TRUE(tr::books_balance(server.stats(), &why)) << why;
    for (Client& client : clients) {
      client.receive_all();
      EXPECT_NE(client.end(), Client::End::kDeadline);
    }
  }
  EXPECT_EQ(support::open_descriptors(), descriptors);
}

// Those who had connected and asked before the drain began are answered.
TEST_P(LoopsAccept, TheDrainTakesWhoWaits) {
  for (int round = 0; round < 10; ++round) {
    tr::Server server(loops(2));
    server.listen(kAnywhere, tr::lines(), support::mark, kByLoops);
    ASSERT_TRUE(server.start().ok());
    std::vector<Client> clients;
    for (int i = 0; i < 40; ++i) {
      ASSERT_TRUE(clients.emplace_back(server.urls()[0]).send("x\n"));
      ASSERT_TRUE(clients.back().wait_all_arrived());
    }
    std::thread drainer([&] { server.drain(); });
    for (Client& client : clients) {
      EXPECT_EQ(client.receive_all(), "<x>\n");
      client.close();
    }
    drainer.join();
    EXPECT_EQ(server.stats().accepted, 40u);
    EXPECT_TRUE(tr::books_balance(server.stats(), nullptr));
  }
}

// Many loops at the limit: whoever leaves makes room for one client, and wakes one loop for it.
TEST_P(LoopsAccept, AFreedPlaceDoesNotWakeThemAll) {
  tr::ServerOptions options = loops(16);
  options.connections_max = 2;
  tr::Server server(options);
  server.listen(kAnywhere, tr::lines(), support::mark, kByLoops);
  ASSERT_TRUE(server.start().ok());
  std::vector<Client> clients;
  for (int i = 0; i < 160; ++i) {
    clients.emplace_back(server.urls()[0]);
    ASSERT_TRUE(clients.back().send("x\n"));
  }
  expect_all_served(clients, "<x>\n");
  EXPECT_LE(server.stats().wakeups, 3 * clients.size()) << "for each, all loops were woken";
}

// At the limit of descriptors nobody can be accepted, and nobody tries all the time.
TEST_P(LoopsAccept, WithoutDescriptorsTheyDoNotSpin) {
#if defined(__has_feature)
#if __has_feature(address_sanitizer)
  GTEST_SKIP() << "the sanitizer's look at a virtual table opens a pipe, and ends the server";
#endif
#endif
  support::Child child(
      {"serve", "echo", "--listen", kAnywhere, "--accepting", "loops", "--io-workers", "4",
       "--connections-max", "1000", "--driver", on_uring() ? "io_uring" : "epoll"},
      {.descriptors_max = 64});
  const std::string url = child.url();
  std::vector<Client> clients;
  for (int i = 0; i < 120; ++i) clients.emplace_back(url);
  ASSERT_TRUE(wait_until(
      [&] { return child.errors().find("raise the descriptor limit") != std::string::npos; }));
  const auto before = child.cpu_time();
  support::let_pass(std::chrono::milliseconds(500));
  EXPECT_LT((child.cpu_time() - before).count(), 100 * support::kSlowness);
  // Those who leave make room for those who wait.
  for (Client& client : clients) ASSERT_TRUE(client.send("x"));
  expect_all_served(clients, "x");
}

// Under `adaptive` a handler that blocks loses the loop, and the loop goes on accepting.
TEST_P(LoopsAccept, WhileAHandlerBlocks) {
  if (on_uring()) GTEST_SKIP() << "no loop on io_uring changes hands";
  tr::ServerOptions options = loops(1);
  options.dispatch = tr::Dispatch::kAdaptive;
  tr::Server server(options);
  const support::Gate gate;
  tr::ListenOptions listen = support::pinned_to_the_loop();
  listen.accepting = tr::Accepting::kLoops;
  server.listen(
      kAnywhere, tr::lines(),
      [gate](const tr::Request& request) -> tr::Answer {
        if (request.text() == "wait") gate.wait();
        return request.own();
      },
      listen);
  ASSERT_TRUE(server.start().ok());
  const support::Gate::Opener opener(gate);
  Client waiting(server.urls()[0]);
  ASSERT_TRUE(waiting.send("wait\n"));
  ASSERT_TRUE(wait_until([&] { return gate.arrived() == 1; }));
  for (int i = 0; i < 20; ++i) EXPECT_EQ(Client(server.urls()[0]).ask("next"), "next");
  gate.open();
  EXPECT_EQ(waiting.line(), "wait");
}

}  // namespace
