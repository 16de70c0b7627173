// Goal: what never returns does not keep a server from ending: a handler that holds the lock of a
// stream, a codec, a transport layer. It is named, and nothing else is lost.
// Method: servers in a copy of this process, whose end is the point; gates where it is this one.
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "support/child.h"
#include "support/client.h"
#include "support/gate.h"
#include "support/knock_layer.h"
#include "support/lines_codec.h"
#include "support/test_server.h"
#include "support/text.h"

namespace {
using support::contains;

using support::Child;
using support::Client;
using support::Gate;
using support::wait_until;
namespace tr = trireme;
using namespace std::chrono_literals;

tr::ListenOptions named(const char* name) {
  tr::ListenOptions options;
  options.name = name;
  return options;
}

int run(tr::Server& server) {
  return server.run([&] {
    std::printf("listening on %s\n", server.urls()[0].c_str());
    std::fflush(stdout);
  });
}

// Waits at the gate for the line `stay`.
class StayingCodec final : public support::LinesCodec {
 public:
  explicit StayingCodec(Gate gate) : gate_(std::move(gate)) {}
  tr::Frame decode(tr::DecodeState& state, std::string_view input, bool ended,
                   size_t frame_bytes_max) const override {
    if (input.starts_with("stay")) gate_.wait();
    return LinesCodec::decode(state, input, ended, frame_bytes_max);
  }

 private:
  const Gate gate_;
};

class Stuck : public support::ServerTest {
 protected:
  tr::ServerOptions options() const {
    tr::ServerOptions options = ServerTest::options();
    options.drain_time_max = 100ms;
    return options;
  }
  // In a child.
  tr::ServerOptions child_options() const {
    tr::ServerOptions options = this->options();
    options.log = {};
    return options;
  }
};

// Whoever flushes all streams would wait for the one that the handler reads. What was printed comes
// out all the same.
TEST_P(Stuck, InAStreamAHandlerIsNoReasonToStay) {
  Child child([this] {
    int both[2];
    if (::pipe(both) != 0) return 3;
    FILE* const never = ::fdopen(both[0], "r");
    tr::Server server(child_options());
    server.listen("tcp://127.0.0.1:0", tr::lines(), [&](const tr::Request&) -> tr::Answer {
      char line[8];
      std::printf("half a line");
      return std::fgets(line, sizeof line, never) != nullptr ? "read" : "not read";
    });
    return run(server);
  });
  Client client(child.url());
  ASSERT_TRUE(client.send("x\n"));
  ASSERT_TRUE(client.wait_all_arrived());
  ASSERT_TRUE(wait_until([&] { return child.is_in(SYS_read); }));
  child.signal(SIGTERM);
  EXPECT_EQ(child.wait_exit(5s), 1) << child.errors();
  EXPECT_TRUE(contains(child.errors(), "a handler of ")) << child.errors();
  EXPECT_TRUE(contains(child.out(), "half a line")) << child.out();
}

TEST_P(Stuck, InACodecItIsNamedAndTheProcessEnds) {
  Child child([this] {
    tr::Server server(child_options());
    server.listen("tcp://127.0.0.1:0", std::make_shared<StayingCodec>(Gate()), support::mark,
                  named("stubborn"));
    return run(server);
  });
  Client client(child.url());
  ASSERT_EQ(client.ask("a"), "<a>");
  ASSERT_TRUE(client.send("stay\n"));
  ASSERT_TRUE(client.wait_all_arrived());
  child.signal(SIGTERM);
  EXPECT_EQ(child.wait_exit(10s), 1) << child.errors();
  EXPECT_TRUE(contains(child.errors(), "the codec of 'stubborn'") &&
              contains(child.errors(), "has not returned"))
      << child.errors();
}

TEST_P(Stuck, InALayerItIsNamed) {
  if (GetParam().dispatch == tr::Dispatch::kInline)
    GTEST_SKIP() << "a loop computes it: as a codec";
  const Gate gate;
  tr::ListenOptions listen = named("stubborn");
  listen.layers = {std::make_shared<support::HeavyKnockFactory>([&] { gate.wait(); })};
  tr::Server server(options());
  server.listen("tcp://127.0.0.1:0", tr::lines(), support::mark, listen);
  ASSERT_TRUE(server.start());
  const Gate::Opener opener(gate);
  Client client(server.urls()[0]);
  ASSERT_TRUE(client.send(support::kKnock));
  ASSERT_TRUE(wait_until([&] { return gate.arrived() == 1; }));
  const std::vector<tr::StuckJob> stuck = server.drain();
  ASSERT_EQ(stuck.size(), 1u);
  EXPECT_EQ(stuck[0].code, tr::StuckJob::Code::kLayer);
  EXPECT_EQ(stuck[0].service, "stubborn");
  EXPECT_EQ(stuck[0].thread, "layer-0");
  EXPECT_EQ(stuck[0].peer, "127.0.0.1:" + std::to_string(client.port()));
  EXPECT_GE(stuck[0].running_for, 90ms);
}

TEST_P(Stuck, InACodecItIsNamedByTheDestructorWhichWaits) {
  const Gate gate;
  std::atomic<bool> told{false};
  tr::ServerOptions logged = options();
  logged.log = [&told](tr::LogLevel, std::string_view line) {
    if (!line.starts_with("the codec of 'stubborn'")) return;
    if (contains(std::string(line), "the destructor of the server waits for it")) told = true;
  };
  auto server = std::make_unique<tr::Server>(logged);
  server->listen("tcp://127.0.0.1:0", std::make_shared<StayingCodec>(gate), support::mark,
                 named("stubborn"));
  ASSERT_TRUE(server->start());
  const Gate::Opener opener(gate);
  Client client(server->urls()[0]);
  ASSERT_TRUE(client.send("stay\n"));
  ASSERT_TRUE(wait_until([&] { return gate.arrived() == 1; }));
  const std::vector<tr::StuckJob> stuck = server->drain();
  ASSERT_EQ(stuck.size(), 1u);
  EXPECT_EQ(stuck[0].code, tr::StuckJob::Code::kCodec);
  EXPECT_EQ(stuck[0].service, "stubborn");
  EXPECT_EQ(stuck[0].thread.substr(0, 3), "io-");
  EXPECT_EQ(stuck[0].peer, "127.0.0.1:" + std::to_string(client.port()));
  EXPECT_GE(stuck[0].running_for, 90ms);
  EXPECT_LT(stuck[0].running_for, 60s);
  std::thread opens([&] {
    EXPECT_TRUE(wait_until([&] { return told.load(); }));
    gate.open();
  });
  server.reset();
  opens.join();
}

TEST_P(Stuck, InACodecOrAHandlerItCanBeAbandoned) {
  for (const char* line : {"stay\n", "wait\n"}) {
    Child child([&] {
      const Gate gate;
      {
        tr::Server server(child_options());
        server.listen("tcp://127.0.0.1:0", std::make_shared<StayingCodec>(gate),
                      [gate](const tr::Request& request) -> tr::Answer {
                        if (request.text() == "wait") gate.wait();
                        return "not reached";
                      });
        if (!server.start()) return 3;
        Client client(server.urls()[0]);
        client.send(line);
        if (!wait_until([&] { return gate.arrived() == 1; })) return 4;
        if (server.drain().size() != 1) return 5;
        server.abandon();
        server.abandon();
      }
      return 0;
    });
    EXPECT_EQ(child.wait_exit(10s), 0) << line << child.errors();
  }
}

std::vector<support::Setup> one_of_each_policy() {
  std::vector<support::Setup> setups = {{tr::Dispatch::kInline, tr::DriverKind::kEpoll, 1},
                                        {tr::Dispatch::kAdaptive, tr::DriverKind::kEpollEdge, 2},
                                        {tr::Dispatch::kWorkers, tr::DriverKind::kPoll, 1}};
  if (support::has_uring()) {
    setups.push_back({tr::Dispatch::kAdaptive, tr::DriverKind::kEpoll, 1, true});
  }
  return setups;
}

// As one that prints to a pipe that nobody reads.
TEST_P(Stuck, InOnReadyItIsNamedAndTheProcessEnds) {
  for (const bool twice : {false, true}) {
    Child child([&] {
      tr::ServerOptions patient = child_options();
      if (twice) patient.drain_time_max = 1h;
      tr::Server server(patient);
      server.listen("tcp://127.0.0.1:0", tr::lines(), support::mark);
      return server.run([&] {
        std::printf("listening on %s\n", server.urls()[0].c_str());
        std::fflush(stdout);
        Gate().wait();
      });
    });
    {
      Client client(child.url());
      ASSERT_EQ(client.ask("a"), "<a>");
    }
    child.signal(SIGINT);
    ASSERT_TRUE(wait_until([&] { return contains(child.errors(), "draining"); }));
    if (twice) child.signal(SIGINT);
    EXPECT_EQ(child.wait_exit(5s), 1) << child.errors();
    EXPECT_TRUE(contains(child.errors(), "on_ready has not returned")) << child.errors();
  }
}

TEST_P(Stuck, InOnReadyItIsNamedWhenAnotherThreadHasDrained) {
  Child child([&] {
    tr::Server server(child_options());
    server.listen("tcp://127.0.0.1:0", tr::lines(), support::mark);
    std::thread drains;
    return server.run([&] {
      drains = std::thread([&] { server.drain(); });
      Gate().wait();
    });
  });
  EXPECT_EQ(child.wait_exit(5s), 1) << child.errors();
  EXPECT_TRUE(contains(child.errors(), "on_ready has not returned")) << child.errors();
}

// The sink may be gone when the thread that was given up says something.
TEST_P(Stuck, AnAbandonedServerCallsItsSinkNoMore) {
  Child child([this] {
    Gate gate;
    std::atomic<bool> is_gone{false}, was_called{false}, threw{false};
    tr::ServerOptions options = child_options();
    options.log = [&](tr::LogLevel, std::string_view) { was_called = was_called || is_gone; };
    {
      tr::Server server(options);
      server.listen("tcp://127.0.0.1:0", tr::lines(), [&](const tr::Request&) -> tr::Answer {
        gate.wait();
        threw = true;
        throw std::runtime_error("too late");
      });
      if (!server.start()) return 2;
      Client client(server.urls()[0]);
      if (!client.send("x\n")) return 2;
      if (!wait_until([&] { return gate.arrived() == 1; })) return 2;
      if (server.drain().empty()) return 2;
      server.abandon();
    }
    is_gone = true;
    gate.open();
    if (!wait_until([&] { return threw.load(); })) return 2;
    support::let_pass(20ms);
    return was_called ? 1 : 0;
  });
  EXPECT_EQ(child.wait_exit(10s), 0) << child.errors();
}

INSTANTIATE_TEST_SUITE_P(Setups, Stuck, ::testing::ValuesIn(one_of_each_policy()),
                         support::name_of);

}  // namespace
