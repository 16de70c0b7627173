// Goal: decoders of connections, encoders and tags work whoever runs the handlers, whatever the
// loops wait on, and when loops change hands. Method: TalkCodec; whole servers and their clients,
// which check every byte.
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "support/client.h"
#include "support/gate.h"
#include "support/talk_codec.h"
#include "support/test_server.h"
#include "support/unit_seed.h"
#include "support/wait.h"

namespace tr = trireme;
using support::Client;
using support::Gate;
using support::talk_codec;
using support::TalkCodec;
using support::TestServer;
using support::wait_until;
using tr::Random;
using namespace std::chrono_literals;

namespace {

class DecoderTest : public support::ServerTest {};
class BlockingDecoderTest : public support::ServerTest {};

// What it says of a request must come from bytes and view that are still whole.
tr::Answer describe(const tr::Request& request) {
  if (request.view() == nullptr) return std::to_string(request.text().size());
  const auto& words = request.as<support::Words>();
  return std::string(words.word(words.count() - 1)) + "/" + request.own();
}

struct Script {
  std::string input, replies, pongs;
};

Script random_script(Random& random, int steps) {
  Script script;
  for (int i = 0; i < steps; ++i) {
    const std::string number = std::to_string(i);
    const std::string word(1 + random.below(60), static_cast<char>('a' + random.below(26)));
    switch (random.below(5)) {
      case 0:
        script.input += "ping " + number + "\n";
        script.pongs += "pong " + number + "\n";
        break;
      case 1: {
        script.input += ">" + number + "\n";
        size_t bytes = 0;
        for (uint64_t parts = random.below(4); parts > 0; --parts, bytes += word.size())
          script.input += ">" + word + "\n";
        script.input += ".\n";
        script.replies += "go " + number + "\n#" + number + " " + std::to_string(bytes) + "\n";
        break;
      }
      case 2:
        script.input += "what\n";
        script.replies += "-0 refused 42 not understood\n";
        break;
      default:
        script.input += "#" + number + " the " + word + "\n";
        script.replies += "#" + number + " " + word + "/the " + word + "\n";
    }
  }
  return script;
}

// The lines of `heard` that begin with "pong", and the others.
std::pair<std::string, std::string> sorted(const std::string& heard) {
  std::pair<std::string, std::string> both;
  for (size_t at = 0; at < heard.size();) {
    const size_t end = std::min(heard.find('\n', at), heard.size() - 1) + 1;
    (heard.compare(at, 4, "pong") == 0 ? both.first : both.second) += heard.substr(at, end - at);
    at = end;
  }
  return both;
}

TEST_P(DecoderTest, EveryByteOfManyRequestsOfAllSorts) {
  Random random = tr::unit::seeded_random();
  for (const tr::Ordering ordering : {tr::Ordering::kSerial, tr::Ordering::kPipelined}) {
    for (const auto ahead : {TalkCodec::Ahead::kNo, TalkCodec::Ahead::kYes}) {
      TestServer server(options());
      server.listen(describe, {.ordering = ordering}, talk_codec(ahead));
      server.start();
      const Script script = random_script(random, support::scaled(200));
      Client client(server.url());
      const auto [pongs, replies] = sorted(client.converse(script.input, true));
      EXPECT_EQ(pongs, script.pongs);
      EXPECT_EQ(replies, script.replies);
    }
  }
}

TEST_P(DecoderTest, RepliesOutOfOrderComeWithTheirNumbers) {
  TestServer server(options());
  std::mutex mutex;
  std::vector<std::pair<std::string, tr::Reply>> waiting;
  std::atomic<bool> stop{false};
  std::thread answering([&] {
    while (!stop) {
      std::vector<std::pair<std::string, tr::Reply>> taken;
      {
        const std::lock_guard lock(mutex);
        taken.swap(waiting);
      }
      for (auto i = taken.rbegin(); i != taken.rend(); ++i)  // the latest first
        std::move(i->second).send(std::move(i->first));
      std::this_thread::yield();
    }
  });
  server.listen(
      [&](const tr::Request& request, tr::Reply reply) {
        const std::lock_guard lock(mutex);
        waiting.emplace_back(request.own(), std::move(reply));
      },
      {.ordering = tr::Ordering::kUnordered}, talk_codec());
  server.start();
  const int count = support::scaled(1000);
  std::string input;
  for (int i = 1; i <= count; ++i)
    input += "#" + std::to_string(i) + " r" + std::to_string(i) + "\n";
  Client client(server.url());
  const std::string heard = client.converse(input, true);
  std::map<int, int> seen;
  for (size_t at = 0; at < heard.size();) {
    const size_t end = heard.find('\n', at);
    ASSERT_NE(end, std::string::npos);
    const std::string line = heard.substr(at, end - at);
    const int number = std::stoi(line.substr(1));
    EXPECT_EQ(line, "#" + std::to_string(number) + " r" + std::to_string(number));
    ++seen[number];
    at = end + 1;
  }
  EXPECT_EQ(seen.size(), static_cast<size_t>(count));
  stop = true;
  answering.join();
}

TEST_P(DecoderTest, UnorderedRequestsHaveDeadlinesAndAreDrained) {
  TestServer server(options());
  std::mutex mutex;
  std::vector<tr::Reply> kept;
  server.listen(
      [&](const tr::Request& request, tr::Reply reply) {
        if (request.text() == "now") return std::move(reply).send("now");
        const std::lock_guard lock(mutex);
        kept.push_back(std::move(reply));
      },
      {.handler_time_max = 50ms, .ordering = tr::Ordering::kUnordered}, talk_codec());
  server.start();
  Client client(server.url());
  ASSERT_TRUE(client.send("#1 keep\n#2 now\n"));
  EXPECT_EQ(client.line(), "#2 now");
  EXPECT_EQ(client.line(), "-1 deadline 0 deadline exceeded");
  ASSERT_TRUE(client.send("#3 keep\n"));
  ASSERT_TRUE(wait_until([&] {
    const std::lock_guard lock(mutex);
    return kept.size() == 2;
  }));
  std::thread drains([&] { server.drain(); });
  const std::string rest = client.receive_all();  // answered by the deadline at the latest
  client.close();                                 // else the drain waits for its end
  drains.join();
  EXPECT_TRUE(rest.starts_with("-3 deadline 0 ") && rest.ends_with("* drained\n")) << rest;
}

TEST_P(DecoderTest, PongsThatNobodyTakesStopTheReading) {
  TestServer server(options());
  server.listen(describe, {.limits = {.write_bytes_high = 64 << 10, .write_bytes_low = 16 << 10}},
                talk_codec(TalkCodec::Ahead::kYes));
  server.start();
  const std::string ping = "ping " + std::string(1'000, 'p') + "\n";
  const size_t count = 8'000;
  std::string pings;
  for (size_t i = 0; i < count; ++i) pings += ping;
  Client client(server.url(), {.receive_buffer_bytes = 4 << 10});
  const size_t taken = client.send_until_full(pings);
  EXPECT_LT(server.stats().buffer_bytes_peak, 4u << 20);
  const std::string heard = client.converse(std::string_view(pings).substr(taken), true);
  EXPECT_EQ(heard.size(), pings.size());
  EXPECT_EQ(heard.substr(0, 6), "pong p");
}

TEST_P(BlockingDecoderTest, APingIsAnsweredBesideABlockedHandler) {
  TestServer server(options());
  Gate gate;
  server.listen(
      [gate](const tr::Request& request) -> tr::Answer {
        const auto& words = request.as<support::Words>();
        if (request.text() == "wait") gate.wait();
        return std::string(words.word(1)) + "/" + request.own();
      },
      {}, talk_codec(TalkCodec::Ahead::kYes));
  server.start();
  const Gate::Opener opener(gate);
  Client client(server.url());
  ASSERT_TRUE(client.send("#1 wait\n"));
  ASSERT_TRUE(wait_until([&] { return gate.arrived() == 1; }));
  for (int i = 0; i < 50; ++i) {
    const std::string number = std::to_string(i);
    ASSERT_TRUE(client.send("ping " + number + "\n"));
    ASSERT_EQ(client.line(), "pong " + number);
  }
  ASSERT_TRUE(client.send("#2 xx\n~3 xx\nping last\n"));
  ASSERT_EQ(client.line(), "pong last");
  gate.open();
  EXPECT_EQ(client.line(), "#1 wait/wait");
  EXPECT_EQ(client.line(), "#2 xx/xx");
  EXPECT_EQ(client.line(), "#3 yy/yy");
}

TEST_P(BlockingDecoderTest, AnUnorderedReplyOvertakesABlockedHandler) {
  TestServer server(options());
  Gate gate;
  server.listen(
      [gate](const tr::Request& request) -> tr::Answer {
        if (request.text() == "wait") gate.wait();
        return request.text();
      },
      {.ordering = tr::Ordering::kUnordered}, talk_codec());
  server.start();
  const Gate::Opener opener(gate);
  Client client(server.url());
  ASSERT_TRUE(client.send("#1 wait\n#2 x\n"));
  EXPECT_EQ(client.line(), "#2 x");
  ASSERT_TRUE(client.send("#3 y\n"));
  EXPECT_EQ(client.line(), "#3 y");
  gate.open();
  EXPECT_EQ(client.line(), "#1 wait");
}

INSTANTIATE_TEST_SUITE_P(Setups, DecoderTest, ::testing::ValuesIn(support::every_setup()),
                         support::name_of);
INSTANTIATE_TEST_SUITE_P(Setups, BlockingDecoderTest,
                         ::testing::ValuesIn(support::blocking_setups()), support::name_of);

}  // namespace
