// Goal: handlers that wait on streams take a permit before they start: never more than the bound
// are at work, the others come in their order or are refused, and quick requests never wait behind
// them. Method: handlers at a gate stand for those that wait for slow clients; whole servers.
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "support/client.h"
#include "support/gate.h"
#include "support/talk_codec.h"
#include "support/test_server.h"
#include "support/wait.h"

namespace tr = trireme;
using support::Client;
using support::Gate;
using support::TestServer;
using support::wait_until;
using namespace std::chrono_literals;

namespace {

class StreamPermitsTest : public support::ServerTest {
 protected:
  tr::ServerOptions one_permit() const {
    tr::ServerOptions with = options();
    with.data_workers = 4;
    with.stream_workers = 1;
    return with;
  }
};

// How many handlers are at work, and were at most.
class AtWork {
 public:
  class Here {
   public:
    explicit Here(AtWork& count) : count_(count) {
      const int now = ++count_.now_;
      int most = count_.most_;
      while (now > most && !count_.most_.compare_exchange_weak(most, now)) {
      }
    }
    ~Here() { --count_.now_; }
    Here(const Here&) = delete;
    Here& operator=(const Here&) = delete;

   private:
    AtWork& count_;
  };
  int most() const { return most_; }

 private:
  std::atomic<int> now_{0}, most_{0};
};

// As lines, but what begins with "slow" has a handler that waits on a stream.
class MarkingDecoder final : public tr::ConnectionDecoder {
 public:
  void decode(std::span<char> input, bool ended, size_t, tr::DecodedFrame& out) override {
    const std::string_view bytes(input.data(), input.size());
    const size_t end = bytes.find('\n');
    if (end == std::string_view::npos) {
      if (ended) out.kind = tr::Frame::Kind::kEnd;
      if (ended) out.consumed = bytes.size();
      return;
    }
    out.kind = tr::Frame::Kind::kRequest;
    out.consumed = end + 1;
    out.payload = bytes.substr(0, end);
    out.streams = out.payload.starts_with("slow");
  }
};

class MarkingCodec final : public tr::Codec {
 public:
  std::unique_ptr<tr::ConnectionDecoder> make_decoder() const override {
    return std::make_unique<MarkingDecoder>();
  }
  bool marks_streams() const override { return true; }
  tr::Envelope envelope(size_t) const override {
    tr::Envelope around;
    around.tail[0] = '\n';
    around.tail_bytes = 1;
    return around;
  }
  bool has_fixed_envelope() const override { return true; }
  tr::ErrorReply error_reply(const tr::FailedRequest& failed) const override {
    return {.body = failed.failure == tr::Failure::kBusy ? "BUSY" : std::string(failed.sentence)};
  }
};

TEST_P(StreamPermitsTest, NeverMoreAreAtWorkThanThereArePermits) {
  constexpr int kPermits = 3, kClients = 12;
  tr::ServerOptions with = options();
  with.data_workers = 8;
  with.stream_workers = kPermits;
  TestServer server(with);
  AtWork at_work;
  Gate closed;
  const Gate::Opener opener(closed);
  server.listen(
      [&](const tr::Request& request) -> tr::Answer {
        const AtWork::Here here(at_work);
        closed.wait();
        return request.own();
      },
      {.streams = true});
  server.start();
  std::vector<Client> clients;
  for (int i = 0; i < kClients; ++i) clients.emplace_back(server.url());
  for (Client& client : clients) ASSERT_TRUE(client.send("x\n"));
  ASSERT_TRUE(wait_until([&] { return server.stats().requests == kClients; }));
  ASSERT_TRUE(wait_until([&] { return closed.arrived() == kPermits; }));
  closed.open();
  for (Client& client : clients) EXPECT_EQ(client.line(), "x");
  EXPECT_EQ(at_work.most(), kPermits);
  EXPECT_EQ(closed.arrived(), size_t{kClients});
}

TEST_P(StreamPermitsTest, QuickRequestsDoNotWaitBehindThem) {
  tr::ServerOptions with = options();
  with.data_workers = 4;
  Gate closed;
  TestServer server(with);
  const Gate::Opener opener(closed);
  const auto handler = [&](const tr::Request& request) -> tr::Answer {
    if (request.text() == "slow") closed.wait();
    return request.own();
  };
  server.listen(handler, {}, std::make_shared<MarkingCodec>());
  server.start();
  std::vector<Client> slow;
  for (int i = 0; i < 20; ++i) slow.emplace_back(server.url());
  for (Client& client : slow) ASSERT_TRUE(client.send("slow\n"));
  // Half of the data workers, which is the default.
  ASSERT_TRUE(wait_until([&] { return closed.arrived() == 2; }));
  Client quick(server.url());
  for (int i = 0; i < 50; ++i) ASSERT_EQ(quick.ask("quick"), "quick");
  EXPECT_EQ(closed.arrived(), 2u);
  closed.open();
  for (Client& client : slow) EXPECT_EQ(client.line(), "slow");
}

// How many wait is known when the loops go on; so a few may be over.
TEST_P(StreamPermitsTest, MoreThanTheQueueAreRefused) {
  constexpr size_t kClients = 20;
  tr::ServerOptions with = one_permit();
  with.stream_queue_max = 1;
  Gate closed;
  TestServer server(with);
  const Gate::Opener opener(closed);
  server.listen(
      [&](const tr::Request& request) -> tr::Answer {
        closed.wait();
        return request.own();
      },
      {.streams = true});
  server.start();
  std::vector<Client> clients;
  for (size_t i = 0; i < kClients; ++i) {
    clients.emplace_back(server.url());
    ASSERT_TRUE(clients.back().send("x\n"));
    ASSERT_TRUE(wait_until([&] { return server.stats().requests == i + 1; }));
  }
  ASSERT_TRUE(wait_until([&] { return server.stats().replies > 0; }));
  closed.open();
  size_t refused = 0;
  for (Client& client : clients) {
    const std::string answer = client.line();
    if (answer == "BUSY") {
      ++refused;
    } else {
      EXPECT_EQ(answer, "x");
    }
  }
  EXPECT_GT(refused, 0u);
  EXPECT_LE(refused, kClients - 2);
  EXPECT_EQ(server.stats().streams_refused, refused);
  EXPECT_EQ(clients[0].ask("x"), "x");
}

// One that nobody waits for any more does not start, and leaves its place to the next.
TEST_P(StreamPermitsTest, WhoWaitsInLineMayBeGone) {
  std::mutex mutex;
  std::vector<std::string> started;
  Gate closed;
  TestServer server(one_permit());
  const Gate::Opener opener(closed);
  server.listen(
      [&](const tr::Request& request) -> tr::Answer {
        {
          const std::lock_guard lock(mutex);
          started.push_back(request.own());
        }
        closed.wait();
        return request.own();
      },
      {.streams = true});
  server.start();
  std::vector<Client> clients;
  for (int i = 0; i < 4; ++i) {
    clients.emplace_back(server.url());
    ASSERT_TRUE(clients.back().send(std::to_string(i) + "\n"));
    ASSERT_TRUE(wait_until([&] { return server.stats().requests == static_cast<size_t>(i + 1); }));
  }
  ASSERT_TRUE(wait_until([&] { return closed.arrived() == 1; }));
  clients[1].reset();
  ASSERT_TRUE(wait_until([&] { return server.closed(tr::CloseReason::kReset) == 1; }));
  closed.open();
  EXPECT_EQ(clients[0].line(), "0");
  EXPECT_EQ(clients[2].line(), "2");
  EXPECT_EQ(clients[3].line(), "3");
  const std::lock_guard lock(mutex);
  std::sort(started.begin(), started.end());
  EXPECT_EQ(started, (std::vector<std::string>{"0", "2", "3"}));
}

TEST_P(StreamPermitsTest, ADeadlineHoldsInLine) {
  Gate closed;
  TestServer server(one_permit());
  const Gate::Opener opener(closed);
  server.listen(
      [&](const tr::Request& request) -> tr::Answer {
        if (request.text() == "wait") closed.wait();
        return request.own();
      },
      {.handler_time_max = 50ms, .streams = true});
  server.start();
  Client first(server.url()), second(server.url());
  ASSERT_TRUE(first.send("wait\n"));
  ASSERT_TRUE(wait_until([&] { return closed.arrived() == 1; }));
  EXPECT_EQ(second.ask("x"), "ERR deadline exceeded");
  EXPECT_EQ(first.line(), "ERR deadline exceeded");
  closed.open();
  EXPECT_TRUE(wait_until([&] { return second.ask("y") == "y"; }));
}

TEST_P(StreamPermitsTest, ADrainAnswersThoseInLine) {
  Gate closed;
  TestServer server(one_permit());
  const Gate::Opener opener(closed);
  server.listen(
      [&](const tr::Request& request) -> tr::Answer {
        closed.wait();
        return request.own();
      },
      {.streams = true});
  server.start();
  std::vector<Client> clients;
  for (int i = 0; i < 5; ++i) clients.emplace_back(server.url());
  for (Client& client : clients) ASSERT_TRUE(client.send("x\n"));
  ASSERT_TRUE(wait_until([&] { return server.stats().requests == 5; }));
  server.server().request_stop();
  ASSERT_TRUE(wait_until([&] { return server.server().is_draining(); }));
  closed.open();
  for (Client& client : clients) EXPECT_EQ(client.receive_all(), "x\n");
}

INSTANTIATE_TEST_SUITE_P(Every, StreamPermitsTest, ::testing::ValuesIn(support::blocking_setups()),
                         support::name_of);

// One data worker is enough for handlers to wait, though for nothing beside them.
TEST(StreamPermits, ThereIsOneAtLeast) {
  TestServer server({.io_workers = 1, .data_workers = 1, .dispatch = tr::Dispatch::kWorkers});
  server.listen([](const tr::Request& request) -> tr::Answer { return request.own(); },
                {.streams = true});
  server.start();
  EXPECT_EQ(Client(server.url()).ask("x"), "x");
}

std::string refusal_of(tr::ServerOptions options, const tr::ListenOptions& listen,
                       std::shared_ptr<const tr::Codec> codec = tr::lines()) {
  options.io_workers = 1;
  options.log = [](tr::LogLevel, std::string_view) {};
  tr::Server server(options);
  server.listen(
      "tcp://127.0.0.1:0", std::move(codec),
      [](const tr::Request& request) -> tr::Answer { return request.own(); }, listen);
  const tr::Result<tr::Done> started = server.start();
  return started.ok() ? "" : started.error().message;
}

TEST(StreamPermits, ALoopThatNobodyTakesIsNoPlaceToWait) {
  const char* const kSays = "its handlers wait on streams";
  EXPECT_NE(refusal_of({.dispatch = tr::Dispatch::kInline}, {.streams = true}).find(kSays),
            std::string::npos);
  EXPECT_NE(refusal_of({}, {.dispatch = tr::Dispatch::kInline, .streams = true}).find(kSays),
            std::string::npos);
  EXPECT_NE(refusal_of({.dispatch = tr::Dispatch::kInline}, {}, std::make_shared<MarkingCodec>())
                .find(kSays),
            std::string::npos);
  EXPECT_EQ(refusal_of({.dispatch = tr::Dispatch::kInline},
                       {.dispatch = tr::Dispatch::kAdaptive, .streams = true}),
            "");
  EXPECT_NE(refusal_of({.data_workers = 4, .stream_workers = 5}, {}).find("stream_workers"),
            std::string::npos);
  EXPECT_NE(refusal_of({.stream_queue_max = (1 << 20) + 1}, {}).find("stream_queue_max"),
            std::string::npos);
}

}  // namespace
