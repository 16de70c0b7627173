// Goal: a body that is read in parts reaches its handler whole, in order and within its bounds,
// whoever runs the handlers and whatever ends it early. Method: UploadCodec; whole servers, clients
// that send in pieces, stop, go away.
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "support/client.h"
#include "support/gate.h"
#include "support/test_server.h"
#include "support/unit_seed.h"
#include "support/upload_codec.h"
#include "support/wait.h"
#include "trireme/testing/codec_conformance.h"
#include "trireme/testing/conversation.h"

namespace tr = trireme;
using support::body_byte;
using support::body_bytes;
using support::Client;
using support::Gate;
using support::TestServer;
using support::upload_codec;
using support::wait_until;
using tr::Random;
using namespace std::chrono_literals;

namespace {

class RequestPartsTest : public support::ServerTest {};

// What the handler has read, as far as it is right; and how it has ended.
std::string read_all(const tr::Request& request, size_t at_once) {
  std::vector<char> bytes(at_once);
  uint64_t count = 0;
  tr::Body body = request.body();
  while (const size_t more = body.read(bytes)) {
    for (size_t i = 0; i < more; ++i, ++count) {
      if (bytes[i] != body_byte(count)) return "wrong at " + std::to_string(count);
    }
  }
  const std::string all = std::to_string(count) + (body.ended() ? "" : " and no end");
  return all + (body.failure() == tr::BodyFailure::kNone
                    ? ""
                    : ", failure " + std::to_string(static_cast<int>(body.failure())));
}

std::string pieces_of(const std::string& body, Random& random) {
  std::string pieces;
  for (size_t at = 0; at < body.size();) {
    const size_t size = std::min<size_t>(1 + random.below(5000), body.size() - at);
    pieces += std::to_string(size) + "\n" + body.substr(at, size);
    at += size;
  }
  return pieces + "0\n";
}

bool send_cut(Client& client, const std::string& bytes, Random& random) {
  for (size_t at = 0; at < bytes.size();) {
    const size_t size = std::min<size_t>(1 + random.below(40'000), bytes.size() - at);
    if (!client.send(std::string_view(bytes).substr(at, size))) return false;
    at += size;
  }
  return true;
}

TEST_P(RequestPartsTest, ArrivesWholeHoweverItIsCut) {
  Random random = tr::unit::seeded_random();
  TestServer server(options());
  server.listen(
      [](const tr::Request& request) -> tr::Answer {
        return std::string(request.text()) + ": " + read_all(request, 1 + request.text().size());
      },
      {}, upload_codec());
  server.start();
  Client client(server.url());
  for (int i = 0; i < support::scaled(40); ++i) {
    const std::string body = body_bytes(random.below(i % 4 == 0 ? 300'000 : 3000));
    const std::string size = std::to_string(body.size());
    std::string sent, expected;
    switch (random.below(4)) {
      case 0:
        sent = "PUT " + size + "\n" + body;
        expected = "PUT " + size + ": " + size + "\n";
        break;
      case 1:
        sent = "KEEP " + size + "\n" + body;
        expected = "KEEP " + size + ": " + size + "\n";
        break;
      case 2:
        sent = "PIECES\n" + pieces_of(body, random);
        expected = "go\nPIECES: " + size + "\n";
        break;
      default:
        sent = "nothing\n";
        expected = "nothing: 0\n";
    }
    // Some requests are there before the reply to the one in front.
    sent += "behind\n";
    expected += "behind: 0\n";
    ASSERT_TRUE(send_cut(client, sent, random));
    ASSERT_EQ(client.receive(expected.size()), expected);
  }
}

// A handler that does not read holds its client back, and nothing else.
TEST_P(RequestPartsTest, HoldsBackWhoSendsFasterThanIsRead) {
  constexpr size_t kBody = 12 << 20;
  Gate closed;
  TestServer server(options());
  const Gate::Opener opener(closed);
  server.listen(
      [&](const tr::Request& request) -> tr::Answer {
        if (request.body().ended()) return request.own();
        closed.wait();
        return read_all(request, 10'000);
      },
      {}, upload_codec());
  server.start();
  Client client(server.url());
  ASSERT_TRUE(client.send("PUT " + std::to_string(kBody) + "\n"));
  const std::string body = body_bytes(kBody);
  ASSERT_TRUE(wait_until([&] { return closed.arrived() == 1; }));
  const size_t taken = client.send_until_full(body);
  EXPECT_LT(taken, kBody);
  EXPECT_LT(server.stats().buffer_bytes_now, 2u << 20);
  EXPECT_EQ(Client(server.url()).ask("quick"), "quick");
  closed.open();
  ASSERT_TRUE(client.send(std::string_view(body).substr(taken)));
  EXPECT_EQ(client.line(), std::to_string(kBody));
}

TEST_P(RequestPartsTest, WhatIsNotReadIsThrownAway) {
  TestServer server(options());
  server.listen(
      [](const tr::Request& request) -> tr::Answer {
        char some[10];
        return std::to_string(request.body().read(some));
      },
      {}, upload_codec());
  server.start();
  Client client(server.url());
  for (int i = 0; i < 5; ++i) {
    ASSERT_TRUE(client.send("PUT 200000\n" + body_bytes(100'000)));
    ASSERT_EQ(client.line(), "10");
    ASSERT_TRUE(client.send(body_bytes(100'000)));
    ASSERT_EQ(client.ask("x"), "0");
  }
}

TEST_P(RequestPartsTest, TooMuchOfThatEndsTheConnectionBehindTheReply) {
  TestServer server(options());
  server.listen([](const tr::Request&) -> tr::Answer { return "no"; }, {}, upload_codec());
  server.start();
  Client client(server.url());
  ASSERT_TRUE(client.send("PUT 100000000\n"));
  EXPECT_EQ(client.line(), "no");
  const std::string part(1 << 20, 'x');
  for (int i = 0; i < 5 && client.send(part); ++i) {
  }
  EXPECT_EQ(client.receive_all(), "");
  EXPECT_TRUE(wait_until([&] { return server.closed(tr::CloseReason::kClosedByHandler) == 1; }));
}

// The ways in which a body does not end: what the handler is told, and what the client still hears.
struct Early {
  std::atomic<int> begun{0};
  std::mutex mutex;
  std::string told;

  auto handler() {
    return [this](const tr::Request& request) -> tr::Answer {
      ++begun;
      std::string all = read_all(request, 100);
      const std::lock_guard lock(mutex);
      told = all;
      return all;
    };
  }
  testing::AssertionResult tells(const std::string& expected) {
    std::string last;
    const bool is_so = wait_until([&] {
      const std::lock_guard lock(mutex);
      last = told;
      return told == expected;
    });
    return is_so ? testing::AssertionSuccess() : testing::AssertionFailure() << last;
  }
};

std::string failure(tr::BodyFailure which) {
  return " and no end, failure " + std::to_string(static_cast<int>(which));
}

TEST_P(RequestPartsTest, ToldWhenTheClientIsGone) {
  Early early;
  TestServer server(options());
  server.listen(early.handler(), {}, upload_codec());
  server.start();
  {
    Client client(server.url());
    ASSERT_TRUE(client.send("PUT 1000\n" + body_bytes(10)));
    ASSERT_TRUE(client.wait_all_arrived());
    client.shutdown_write();
    EXPECT_EQ(client.receive_all(), "10" + failure(tr::BodyFailure::kCut) + "\n");
  }
  Client client(server.url());
  ASSERT_TRUE(client.send("PUT 1000\n" + body_bytes(20)));
  ASSERT_TRUE(wait_until([&] { return early.begun == 2; }));
  ASSERT_TRUE(client.wait_all_arrived());
  client.reset();
  EXPECT_TRUE(early.tells("20" + failure(tr::BodyFailure::kGone)));
}

TEST_P(RequestPartsTest, ToldWhenTheCodecRefusesTheRest) {
  Early early;
  TestServer server(options());
  server.listen(early.handler(), {}, upload_codec());
  server.start();
  Client client(server.url());
  ASSERT_TRUE(client.send("PIECES\n3\n" + body_bytes(3) + "many\n"));
  EXPECT_EQ(client.receive_all(), "go\n3" + failure(tr::BodyFailure::kRefused) + "\nERR no size\n");
}

TEST_P(RequestPartsTest, TheDeadlineEndsTheWait) {
  Early early;
  TestServer server(options());
  server.listen(early.handler(), {.handler_time_max = 50ms}, upload_codec());
  server.start();
  Client client(server.url());
  ASSERT_TRUE(client.send("PUT 1000\n" + body_bytes(10)));
  EXPECT_EQ(client.line(), "ERR deadline exceeded");
  EXPECT_TRUE(early.tells("10" + failure(tr::BodyFailure::kDeadline)));
  ASSERT_TRUE(client.send(body_bytes(990)));
  EXPECT_EQ(client.ask("x"), "0");
}

TEST_P(RequestPartsTest, WhoIsTooSlowIsAnsweredAndClosed) {
  Early early;
  TestServer server(options());
  server.listen(early.handler(), {.limits = {.stream_rate_min = 1000, .stream_rate_time = 100ms}},
                upload_codec());
  server.start();
  Client client(server.url());
  ASSERT_TRUE(client.send("PUT 1000\n" + body_bytes(10)));
  EXPECT_EQ(client.receive_all(), "10" + failure(tr::BodyFailure::kTooSlow) + "\n");
  client.close();
  EXPECT_TRUE(wait_until([&] { return server.closed(tr::CloseReason::kSlowStream) == 1; }));
  // One that is gathered has no handler yet.
  Client gathered(server.url());
  ASSERT_TRUE(gathered.send("KEEP 1000\n" + body_bytes(10)));
  EXPECT_EQ(gathered.receive_all(), "");
  EXPECT_TRUE(wait_until([&] { return server.closed(tr::CloseReason::kRequestTimeout) == 1; }));
}

// The clock of a whole request is another one, which a long body would not survive.
TEST_P(RequestPartsTest, WhoIsQuickEnoughMayTakeLong) {
  TestServer server(options());
  server.listen(
      [](const tr::Request& request) -> tr::Answer { return read_all(request, 100); },
      {.limits = {.request_time_max = 100ms, .stream_rate_min = 10, .stream_rate_time = 10s}},
      upload_codec());
  server.start();
  for (const std::string word : {"PUT", "KEEP"}) {
    Client client(server.url());
    ASSERT_TRUE(client.send(word + " 600\n"));
    for (int i = 0; i < 6; ++i) {
      support::let_pass(50ms);
      ASSERT_TRUE(client.send(body_bytes(600).substr(static_cast<size_t>(i) * 100, 100)));
    }
    EXPECT_EQ(client.line(), "600");
  }
}

TEST_P(RequestPartsTest, ADrainLetsWhatHasBegunEnd) {
  TestServer server(options());
  server.listen([](const tr::Request& request) -> tr::Answer { return read_all(request, 100); }, {},
                upload_codec());
  server.start();
  Client client(server.url()), gathered(server.url());
  ASSERT_TRUE(client.send("PUT 1000\n" + body_bytes(10)));
  ASSERT_TRUE(gathered.send("KEEP 1000\n" + body_bytes(10)));
  ASSERT_TRUE(wait_until([&] { return server.stats().requests == 1; }));
  ASSERT_TRUE(client.wait_all_arrived());
  server.server().request_stop();
  EXPECT_EQ(gathered.receive_all(), "") << "it has not begun";
  ASSERT_TRUE(client.send(body_bytes(1000).substr(10) + "x\n"));
  EXPECT_EQ(client.receive_all(), "1000\n") << "what follows came too late";
}

TEST_P(RequestPartsTest, CallsAreAnsweredBesideAnUpload) {
  TestServer server(options());
  server.listen(
      [](const tr::Request& request) -> tr::Answer {
        if (request.text() == "x") return "x";
        return read_all(request, 100);
      },
      {.ordering = tr::Ordering::kUnordered}, upload_codec());
  server.start();
  Client client(server.url());
  Gate never;
  ASSERT_TRUE(client.send("x\nx\nPUT 1000\n" + body_bytes(10)));
  EXPECT_EQ(client.receive(4), "x\nx\n");
  ASSERT_TRUE(client.send(body_bytes(1000).substr(10)));
  EXPECT_EQ(client.line(), "1000");
}

INSTANTIATE_TEST_SUITE_P(Every, RequestPartsTest, ::testing::ValuesIn(support::blocking_setups()),
                         support::name_of);

TEST(RequestParts, KeepTheRulesOfCodecs) {
  const auto findings = tr::testing::codec_conformance(
      *upload_codec(),
      {.streams = {"PUT 5\nhellox\nKEEP 3\nabc", "PIECES\n2\nab1\nc0\nx\n", "PUT 0\nPUT x\n"},
       .requests_are_whole = false,
       .answers_are_requests = false});
  EXPECT_EQ(findings, std::vector<std::string>());
}

// Nobody else would bring the bytes, so they are all there before.
TEST(RequestParts, AreGatheredInAConversation) {
  tr::testing::Conversation talk(upload_codec(), [](const tr::Request& request) -> tr::Answer {
    return read_all(request, 100) + (request.body().size() ? " known" : "");
  });
  EXPECT_EQ(talk.say("PUT 500\n" + body_bytes(200)), "");
  EXPECT_EQ(talk.say(body_bytes(500).substr(200)), "500 known\n");
  EXPECT_EQ(talk.say("PIECES\n0\n"), "go\n0 known\n");
  EXPECT_EQ(talk.say("x\n"), "0 known\n");
}

}  // namespace
