// Goal: a handler that knows that it will wait gives its loop away at once, and what it waits for
// ends when its request is not wanted any more.
// Method: handlers at a gate, counters, clients that leave, a manual clock.
#include <atomic>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "support/client.h"
#include "support/gate.h"
#include "support/lines_codec.h"
#include "support/test_server.h"
#include "trireme/testing/conversation.h"

namespace {

using support::Client;
using support::Gate;
using support::TestServer;
using support::wait_until;
namespace tr = trireme;
using namespace std::chrono_literals;

class WaitingTest : public support::ServerTest {};
class GivenAwayTest : public support::ServerTest {};

TEST_P(GivenAwayTest, AtOnceAndCounted) {
  TestServer server(options());
  Gate gate;
  server.listen(
      [gate](const tr::Request& request) -> tr::Answer {
        tr::blocking();
        tr::blocking();  // once is enough
        gate.wait();
        return request.own();
      },
      support::pinned_to_the_loop());
  server.start();
  const Gate::Opener opener(gate);
  Client client(server.url());
  ASSERT_TRUE(client.send("wait\n"));
  EXPECT_TRUE(wait_until([&] { return server.stats().hand_overs_asked == 1; }));
  EXPECT_EQ(server.stats().hand_overs, 1u);
  gate.open();
  EXPECT_EQ(client.line(), "wait");
}

TEST_P(WaitingTest, BlockingIsHarmlessUnderEveryPolicy) {
  TestServer server(options());
  server.listen([](const tr::Request& request) -> tr::Answer {
    tr::blocking();
    return request.own();
  });
  server.start();
  Client client(server.url());
  for (int i = 0; i < 50; ++i) ASSERT_EQ(client.ask(std::to_string(i)), std::to_string(i));
}

TEST_P(WaitingTest, EndsWhenTheClientIsGone) {
  TestServer server(options());
  std::atomic<int> begun{0}, cancelled{0};
  server.listen([&](const tr::Request& request) -> tr::Answer {
    ++begun;
    if (!tr::wait_for(1h)) ++cancelled;
    return request.own();
  });
  server.start();
  if (GetParam().dispatch == tr::Dispatch::kInline) return;  // nobody would see the client leave
  Client client(server.url());
  ASSERT_TRUE(client.send("x\n"));
  ASSERT_TRUE(wait_until([&] { return begun == 1; }));
  client.reset();
  EXPECT_TRUE(wait_until([&] { return cancelled == 1; }));
}

TEST_P(WaitingTest, EndsWhenTheServerDrains) {
  TestServer server(options());
  std::atomic<int> begun{0}, cancelled{0};
  server.listen([&](const tr::Request& request) -> tr::Answer {
    ++begun;
    if (!tr::wait_for(1h)) ++cancelled;
    return request.own();
  });
  server.start();
  if (GetParam().dispatch == tr::Dispatch::kInline) return;
  Client client(server.url());
  ASSERT_TRUE(client.send("x\n"));
  ASSERT_TRUE(wait_until([&] { return begun == 1; }));
  client.shutdown_write();
  EXPECT_TRUE(server.drain().empty());
  EXPECT_EQ(cancelled, 1);
  EXPECT_EQ(client.line(), "x");
}

TEST_P(WaitingTest, LastsAsLongAsItSays) {
  TestServer server(options());
  server.listen([](const tr::Request&) -> tr::Answer {
    const auto begin = support::Clock::now();
    const bool whole = tr::wait_for(20ms);
    return std::string(whole && support::Clock::now() - begin >= 20ms ? "whole" : "cut");
  });
  server.start();
  Client client(server.url());
  EXPECT_EQ(client.ask("x"), "whole");
}

TEST(WaitFor, TakesNoTimeInAConversation) {
  const auto begin = support::Clock::now();
  tr::testing::Conversation talk(tr::lines(), [](const tr::Request& request) -> tr::Answer {
    return std::string(tr::wait_for(1h) ? "waited for " : "gave up ") + request.own();
  });
  EXPECT_EQ(talk.say("tea\n"), "waited for tea\n");
  EXPECT_LT(support::Clock::now() - begin, 1h);
}

TEST(WaitFor, EndsAtTheDeadlineInAConversation) {
  std::string ended;
  tr::testing::Conversation talk(
      tr::lines(),
      [&](const tr::Request& request) -> tr::Answer {
        ended += tr::wait_for(request.text() == "long" ? 3s : 1s) ? "whole " : "cut ";
        ended +=
            request.cancelled().reason() == tr::CancelReason::kDeadline ? "deadline," : "none,";
        return request.own();
      },
      {.handler_time_max = 2s});
  EXPECT_EQ(talk.say("short\nlong\nshort\n"), "short\nERR deadline exceeded\nshort\n");
  EXPECT_EQ(ended, "whole none,cut deadline,whole none,");
  EXPECT_EQ(talk.stats().handler_deadlines, 1u);
  EXPECT_EQ(talk.advance(5s), "");
}

// Also where the loop does not turn before the handler returns.
TEST_P(WaitingTest, EndsAtTheDeadline) {
  TestServer server(options());
  std::atomic<int> cut{0};
  server.listen(
      [&](const tr::Request& request) -> tr::Answer {
        if (request.text() == "long" && !tr::wait_for(1h)) ++cut;
        return request.own();
      },
      {.handler_time_max = 20ms});
  server.start();
  Client client(server.url());
  // On a busy machine one may expire before it is started.
  EXPECT_TRUE(wait_until([&] {
    EXPECT_EQ(client.ask("long"), "ERR deadline exceeded");
    return cut > 0;
  }));
  EXPECT_TRUE(wait_until([&] { return client.ask("short") == "short"; }));
}

TEST(WaitFor, SleepsOnAThreadThatIsNotTheServers) {
  const auto begin = support::Clock::now();
  tr::blocking();
  EXPECT_TRUE(tr::wait_for(5ms));
  EXPECT_GE(support::Clock::now() - begin, 5ms);
}

// Lines, by a codec that waits.
class WaitingCodec final : public support::LinesCodec {
 public:
  tr::Frame decode(tr::DecodeState& state, std::string_view input, bool ended,
                   size_t frame_bytes_max) const override {
    tr::wait_for(1ms);
    return LinesCodec::decode(state, input, ended, frame_bytes_max);
  }
};

TEST(WaitForDeathTest, EndsTheProcessInLoopCode) {
  EXPECT_DEATH(
      {
        tr::testing::Conversation talk(std::make_shared<WaitingCodec>(),
                                       [](const tr::Request&) -> tr::Answer { return "x"; });
        talk.say("x\n");
      },
      "loop code must not block");
}

INSTANTIATE_TEST_SUITE_P(Setups, WaitingTest, ::testing::ValuesIn(support::every_setup()),
                         support::name_of);
INSTANTIATE_TEST_SUITE_P(Setups, GivenAwayTest,
                         ::testing::ValuesIn(support::setups_of(tr::Dispatch::kAdaptive)),
                         support::name_of);

}  // namespace
