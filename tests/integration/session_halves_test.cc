// Goal: the two directions of a connection end apart from each other over every policy and driver,
// and who got kFull hears of room. Method: clients that half-close, that read nothing for a while,
// or that leave; handlers that wait until they are told.
#include <atomic>
#include <mutex>
#include <string>
#include <thread>
#include <utility>

#include "support/client.h"
#include "support/gate.h"
#include "support/test_server.h"

namespace {

using support::Client;
using support::TestServer;
using support::wait_until;
namespace tr = trireme;
using namespace std::chrono_literals;

struct HalfRoom {
  std::mutex mutex;
  tr::Peer peer;
  std::atomic<int> requests{0}, ends{0}, closed{0}, rounds{0};
  tr::Peer last() {
    const std::lock_guard lock(mutex);
    return peer;
  }
};

class HalfMember {
 public:
  HalfMember(tr::Peer mine, HalfRoom& where) : peer_(std::move(mine)), room_(where) {
    const std::lock_guard lock(room_.mutex);
    room_.peer = peer_;
  }
  tr::Answer on_request(const tr::Request& request) {
    ++room_.requests;
    if (request.text() == "end") peer_.end();
    if (request.text() == "fill") fill();
    return request.own();
  }
  void on_end() {
    ++room_.ends;
    peer_.send("heard\n");
  }
  void on_writable() {
    ++room_.rounds;
    fill();
  }
  void on_close(tr::CloseReason) { ++room_.closed; }

 private:
  static constexpr int kLines = 40;

  // As many lines as there is room for: the next ones when it is told.
  void fill() {
    while (sent_ < kLines) {
      std::string line = std::to_string(sent_) + std::string(60'000, '.') + "\n";
      if (peer_.send(std::move(line)) != tr::SendResult::kQueued) return;
      ++sent_;
    }
    peer_.close();
  }

  tr::Peer peer_;
  HalfRoom& room_;
  int sent_ = 0;
};

class SessionHalvesTest : public support::ServerTest {
 protected:
  SessionHalvesTest() : server_(options()) {}
  void serve(tr::HalfClose how) {
    server_.serve<HalfMember>(
        {.half_close = how, .limits = {.write_bytes_high = 100'000, .write_bytes_low = 50'000}},
        room_);
    server_.start();
  }
  HalfRoom room_;
  TestServer server_;
};

TEST_P(SessionHalvesTest, OnEndComesOnceBehindAllRequests) {
  serve(tr::HalfClose::kFinish);
  Client client(server_.url());
  EXPECT_EQ(client.converse("a\nb\nc\n", true), "a\nb\nc\nheard\n");
  EXPECT_TRUE(wait_until([&] { return room_.closed == 1; }));
  EXPECT_EQ(room_.ends, 1);
  EXPECT_EQ(room_.requests, 3);
}

TEST_P(SessionHalvesTest, StayGoesOnUntilTheServerEnds) {
  serve(tr::HalfClose::kStay);
  Client client(server_.url());
  EXPECT_EQ(client.ask("a"), "a");
  client.shutdown_write();
  EXPECT_EQ(client.line(), "heard");
  for (int i = 0; i < 5; ++i) {
    EXPECT_EQ(room_.last().send(std::to_string(i) + "\n"), tr::SendResult::kQueued);
    EXPECT_EQ(client.line(), std::to_string(i));
  }
  room_.last().end();
  EXPECT_EQ(client.receive_all(), "");
  EXPECT_EQ(client.end(), Client::End::kEof);
  EXPECT_TRUE(wait_until([&] { return server_.closed(tr::CloseReason::kPeerClosed) == 1; }));
}

TEST_P(SessionHalvesTest, EndEndsOneDirectionAndTheServerReadsOn) {
  serve(tr::HalfClose::kFinish);
  Client client(server_.url());
  ASSERT_TRUE(client.send("a\nend\n"));
  EXPECT_EQ(client.receive_all(), "a\nend\n");
  EXPECT_EQ(client.end(), Client::End::kEof);
  EXPECT_EQ(room_.closed, 0);
  const std::string many(100'000, 'x');
  ASSERT_TRUE(client.send(many + "\nb\n"));
  EXPECT_TRUE(wait_until([&] { return room_.requests == 4; }));
  client.shutdown_write();
  EXPECT_TRUE(wait_until([&] { return room_.closed == 1; }));
  EXPECT_EQ(room_.ends, 1);
  EXPECT_EQ(server_.stats().replies_dropped, 2U);
}

TEST_P(SessionHalvesTest, RoomIsToldAsOftenAsItIsNeeded) {
  serve(tr::HalfClose::kFinish);
  Client client(server_.url(), {.receive_buffer_bytes = 4096});
  ASSERT_TRUE(client.send("fill\n"));
  for (int i = 0; i < 40; ++i) {
    std::string line = client.line();
    if (line == "fill") line = client.line();  // the reply is somewhere between
    ASSERT_EQ(line.substr(0, line.find('.')), std::to_string(i));
    ASSERT_EQ(line.size(), std::to_string(i).size() + 60'000);
  }
  EXPECT_GT(room_.rounds, 0);
}

TEST_P(SessionHalvesTest, BehindAProxyAsElsewhere) {
  HalfRoom room;
  tr::Server server(options());
  server.serve<HalfMember>("tcp+proxy://127.0.0.1:0", tr::lines(),
                           {.half_close = tr::HalfClose::kStay}, room);
  ASSERT_TRUE(server.start());
  Client client(server.urls()[0]);
  ASSERT_TRUE(client.send("PROXY TCP4 192.0.2.1 192.0.2.2 4711 80\r\na\n"));
  EXPECT_EQ(client.line(), "a");
  client.shutdown_write();
  EXPECT_EQ(client.line(), "heard");
  room.last().end();
  EXPECT_EQ(client.receive_all(), "");
}

class HalfCancelTest : public support::ServerTest {};

// A session without on_end costs nothing for it.
TEST_P(HalfCancelTest, GoneCancelsAHandlerThatWaits) {
  TestServer server(options());
  std::atomic<int> begun{0}, cancelled{0};
  server.listen(
      [&](const tr::Request& request) -> tr::Answer {
        ++begun;
        if (!tr::wait_for(1h)) ++cancelled;
        return request.own();
      },
      {.half_close = tr::HalfClose::kGone});
  server.start();
  if (GetParam().dispatch == tr::Dispatch::kInline) return;  // nobody would see the client leave
  Client client(server.url());
  ASSERT_TRUE(client.send("x\n"));
  ASSERT_TRUE(wait_until([&] { return begun == 1; }));
  client.shutdown_write();
  EXPECT_TRUE(wait_until([&] { return cancelled == 1; }));
  EXPECT_EQ(client.receive_all(), "");
  EXPECT_TRUE(wait_until([&] { return server.closed(tr::CloseReason::kPeerClosed) == 1; }));
}

INSTANTIATE_TEST_SUITE_P(Setups, SessionHalvesTest, ::testing::ValuesIn(support::every_setup()),
                         support::name_of);
INSTANTIATE_TEST_SUITE_P(Setups, HalfCancelTest, ::testing::ValuesIn(support::every_setup()),
                         support::name_of);

}  // namespace
