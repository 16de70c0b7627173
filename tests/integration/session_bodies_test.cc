// Goal: a session takes the body of a request in parts, in its turn, without a thread that waits:
// whole, in order, within its bounds, under every dispatch policy. Method: UploadCodec; whole
// servers and a conversation, clients that send in pieces, stop, go away.
#include <gtest/gtest.h>

#include <atomic>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "support/client.h"
#include "support/gate.h"
#include "support/test_server.h"
#include "support/unit_seed.h"
#include "support/upload_codec.h"
#include "support/wait.h"
#include "trireme/testing/conversation.h"

namespace tr = trireme;
using support::body_byte;
using support::body_bytes;
using support::Client;
using support::Gate;
using support::upload_codec;
using support::wait_until;
using namespace std::chrono_literals;

namespace {

class SessionBodiesTest : public support::ServerTest {};

struct Told {
  std::atomic<int> failures{0};
  std::atomic<bool> waits{false};
  Gate gate;
  void note(tr::BodyFailure why) { failures = static_cast<int>(why); }
};

// Answers an upload when all of it was taken.
class Taker {
 public:
  explicit Taker(Told& told) : told_(told) {}

  void on_request(const tr::Request& request, tr::Reply reply) {
    const Inside inside(*this);
    const bool has_body = request.text() != "x" && !request.body().ended();
    if (!has_body) return std::move(reply).send(request.own());
    EXPECT_FALSE(reply_.has_value());
    reply_ = std::move(reply);
    count_ = 0;
  }
  void on_body(const tr::BodyPart& part) {
    const Inside inside(*this);
    if (told_.waits) told_.gate.wait();
    for (const char byte : part.bytes) wrong_ += byte != body_byte(count_++) ? 1 : 0;
    if (part.failure != tr::BodyFailure::kNone) told_.note(part.failure);
    if (!part.ends && part.failure == tr::BodyFailure::kNone) return;
    ASSERT_TRUE(reply_.has_value());
    std::move(*reply_).send(std::to_string(count_) + (wrong_ > 0 ? " wrong" : "") +
                            (part.ends ? "" : " cut"));
    reply_.reset();
  }

 private:
  struct Inside {
    explicit Inside(Taker& of) : session(of) { EXPECT_EQ(session.inside_++, 0); }
    ~Inside() { --session.inside_; }
    Inside(const Inside&) = delete;
    Inside& operator=(const Inside&) = delete;
    Taker& session;
  };

  Told& told_;
  std::optional<tr::Reply> reply_;
  uint64_t count_ = 0, wrong_ = 0;
  int inside_ = 0;
};

// A server of them; of one family of addresses.
struct TakerServer {
  TakerServer(tr::ServerOptions options, tr::ListenOptions listen, Told& told)
      : server(std::move(options)) {
    server.serve<Taker>("tcp://127.0.0.1:0", upload_codec(), std::move(listen), told);
    const auto started = server.start();
    EXPECT_TRUE(started.ok()) << started.error().message;
  }
  ~TakerServer() {
    EXPECT_TRUE(server.drain().empty());
    const char* why = nullptr;
    EXPECT_TRUE(tr::books_balance(server.stats(), &why)) << why;
  }
  TakerServer(const TakerServer&) = delete;
  TakerServer& operator=(const TakerServer&) = delete;
  tr::Server server;
};

TEST_P(SessionBodiesTest, ArriveInTheTurnOfTheSession) {
  tr::Random random = tr::unit::seeded_random();
  Told told;
  TakerServer taker(options(), {}, told);
  Client client(taker.server.urls()[0]);
  for (int i = 0; i < support::scaled(30); ++i) {
    const uint64_t bytes = random.below(i % 4 == 0 ? 300'000 : 3000);
    const std::string size = std::to_string(bytes), body = body_bytes(bytes);
    const std::string sent = "PUT " + size + "\n" + body + "x\n";
    for (size_t at = 0; at < sent.size();) {
      const size_t piece = std::min<size_t>(1 + random.below(40'000), sent.size() - at);
      ASSERT_TRUE(client.send(std::string_view(sent).substr(at, piece)));
      at += piece;
    }
    const std::string expected = (bytes > 0 ? size : "PUT 0") + "\nx\n";
    ASSERT_EQ(client.receive(expected.size()), expected);
  }
}

TEST_P(SessionBodiesTest, HoldBackWhoSendsFaster) {
  if (GetParam().dispatch == tr::Dispatch::kInline) GTEST_SKIP() << "the session blocks";
  constexpr size_t kBody = 24 << 20;  // more than the sockets of both sides take
  Told told;
  TakerServer taker(options(), {}, told);
  const Gate::Opener opener(told.gate);
  told.waits = true;
  Client client(taker.server.urls()[0]);
  ASSERT_TRUE(client.send("PUT " + std::to_string(kBody) + "\n"));
  const std::string body = body_bytes(kBody);
  const size_t taken = client.send_until_full(body);
  EXPECT_LT(taken, kBody);
  EXPECT_LT(taker.server.stats().buffer_bytes_now, 3u << 20);
  told.gate.open();
  ASSERT_TRUE(client.send(std::string_view(body).substr(taken)));
  EXPECT_EQ(client.line(), std::to_string(kBody));
}

TEST_P(SessionBodiesTest, AreToldHowTheyEndEarly) {
  Told told;
  TakerServer taker(options(), {.limits = {.stream_rate_min = 1000, .stream_rate_time = 200ms}},
                    told);
  Client cut(taker.server.urls()[0]);
  ASSERT_TRUE(cut.send("PUT 1000\n" + body_bytes(10)));
  cut.shutdown_write();
  EXPECT_EQ(cut.receive_all(), "10 cut\n");
  EXPECT_EQ(told.failures, static_cast<int>(tr::BodyFailure::kCut));
  Client slow(taker.server.urls()[0]);
  ASSERT_TRUE(slow.send("PUT 1000\n" + body_bytes(10)));
  EXPECT_EQ(slow.receive_all(), "10 cut\n");
  EXPECT_EQ(told.failures, static_cast<int>(tr::BodyFailure::kTooSlow));
}

INSTANTIATE_TEST_SUITE_P(Every, SessionBodiesTest, ::testing::ValuesIn(support::every_setup()),
                         support::name_of);

TEST(SessionBodies, AreTakenInAConversation) {
  Told told;
  const auto talk = tr::testing::Conversation::with<Taker>(upload_codec(), {}, told);
  EXPECT_EQ(talk->say("PUT 500\n" + body_bytes(200)), "");
  EXPECT_EQ(talk->say(body_bytes(500).substr(200)), "500\n");
  EXPECT_EQ(talk->say("PIECES\n3\n" + body_bytes(3) + "0\nx\n"), "go\n3\nx\n");
}

}  // namespace
