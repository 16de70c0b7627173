// Goal: a streamed reply arrives whole, in its turn, with nothing between its pieces, and is
// bounded by what its client takes; one that is given up, or late, is a cut that its client sees.
// Method: handlers that stream, or keep the stream for another thread; clients that read at once,
// slowly, or leave.
#include <atomic>
#include <fstream>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "support/client.h"
#include "support/gate.h"
#include "support/knock_layer.h"
#include "support/temporary_folder.h"
#include "support/test_server.h"

namespace {

using support::Client;
using support::Gate;
using support::TestServer;
using support::wait_until;
using namespace std::chrono_literals;
namespace tr = trireme;

// Threads that write to streams which handlers have kept. All have ended when it dies.
class Writers {
 public:
  ~Writers() {
    for (std::thread& thread : threads_) thread.join();
  }
  void run(tr::ReplyStream stream, std::function<void(tr::ReplyStream&)> write) {
    const std::lock_guard lock(mutex_);
    threads_.emplace_back(
        [stream = std::move(stream), write = std::move(write)]() mutable { write(stream); });
  }

 private:
  std::mutex mutex_;
  std::vector<std::thread> threads_;
};

constexpr int kPieces = 400;
std::string piece_of(int number) {
  return std::to_string(number) + std::string(10'000, static_cast<char>('a' + number % 26)) + ",";
}
std::string all_pieces() {
  std::string all;
  for (int i = 0; i < kPieces; ++i) all += piece_of(i);
  return all;
}

class StreamsTest : public support::ServerTest {
 protected:
  // "now": streamed in the handler. "large": by a writer. "drop": given up in the midst. "late":
  // given up before a piece. "wait": until the gate is open. Else: echoed.
  auto handler() {
    return [this](const tr::Request& request, tr::Reply reply) {
      const std::string text = request.own();
      if (text == "now") {
        tr::ReplyStream stream = std::move(reply).stream();
        for (const char* piece : {"a ", "streamed ", "", "reply"}) {
          EXPECT_EQ(stream.try_write(tr::Bytes(piece)), tr::StreamResult::kQueued);
        }
        stream.finish();
        EXPECT_EQ(stream.try_write("more"), tr::StreamResult::kClosed);
      } else if (text == "large") {
        writers_.run(std::move(reply).stream(), [this](tr::ReplyStream& stream) {
          for (int i = 0; i < kPieces; ++i) last_ = stream.write(piece_of(i));
          stream.finish();
        });
      } else if (text == "drop") {
        writers_.run(std::move(reply).stream(),
                     [](tr::ReplyStream& stream) { stream.write("a part"); });
      } else if (text == "late") {
        const tr::ReplyStream dropped = std::move(reply).stream();
      } else if (text == "wait") {
        writers_.run(std::move(reply).stream(), [this](tr::ReplyStream& stream) {
          stream.write("begun,");
          gate_.wait();
          stream.write("done");
          stream.finish();
        });
      } else {
        std::move(reply).send(text);
      }
    };
  }

  const Gate gate_;
  std::atomic<tr::StreamResult> last_{tr::StreamResult::kQueued};
  Writers writers_;
};

TEST_P(StreamsTest, LeaveInTheirTurn) {
  for (const tr::Ordering ordering : {tr::Ordering::kSerial, tr::Ordering::kPipelined}) {
    TestServer server(options());
    server.listen(handler(), {.ordering = ordering});
    server.start();
    Client client(server.url());
    const std::string sent = "1\nnow\n2\nlarge\n3\nnow\nlarge\n4\n";
    const std::string large = all_pieces() + "\n", now = "a streamed reply\n";
    EXPECT_TRUE(client.converse(sent, true) ==
                "1\n" + now + "2\n" + large + "3\n" + now + large + "4\n");
    EXPECT_EQ(server.stats().replies, 8u);
  }
}

TEST_P(StreamsTest, ASlowReaderCostsItsBound) {
  tr::ListenOptions listen;
  listen.limits.write_bytes_high = 64 << 10;
  listen.limits.write_bytes_low = 16 << 10;
  TestServer server(options());
  server.listen(handler(), listen);
  server.start();
  const uint64_t before = server.stats().buffer_bytes_now;
  Client client(server.url(), {.receive_buffer_bytes = 4096});
  ASSERT_TRUE(client.send("large\nafterwards\n"));
  ASSERT_EQ(client.receive(1), "0");
  std::string got = "0";
  const std::string wanted = all_pieces() + "\nafterwards\n";
  while (got.size() < wanted.size()) {
    const std::string more = client.receive(std::min<size_t>(20'000, wanted.size() - got.size()));
    if (more.empty()) break;
    got += more;
  }
  EXPECT_TRUE(got == wanted);
  EXPECT_EQ(last_, tr::StreamResult::kQueued);
  EXPECT_LT(server.stats().buffer_bytes_peak - before, 1u << 20);
}

// The loop serves others while the handler waits.
TEST_P(StreamsTest, AHandlerWithAPermitWaits) {
  if (GetParam().dispatch == tr::Dispatch::kInline) GTEST_SKIP() << "start() refuses it";
  tr::ListenOptions listen;
  listen.streams = true;
  listen.limits.write_bytes_high = 64 << 10;
  listen.limits.write_bytes_low = 16 << 10;
  TestServer server(options());
  server.listen(
      [this](const tr::Request& request, tr::Reply reply) {
        if (request.text() != "large") return std::move(reply).send(request.own());
        tr::ReplyStream stream = std::move(reply).stream();
        for (int i = 0; i < kPieces; ++i) last_ = stream.write(piece_of(i));
        stream.finish();
      },
      listen);
  server.start();
  Client client(server.url(), {.receive_buffer_bytes = 4096});
  ASSERT_TRUE(client.send("large\nafterwards\n"));
  ASSERT_EQ(client.receive(1), "0");
  Client other(server.url());
  EXPECT_EQ(other.ask("quick"), "quick");
  const std::string wanted = all_pieces().substr(1) + "\nafterwards\n";
  EXPECT_TRUE(client.receive(wanted.size()) == wanted);
  EXPECT_EQ(last_, tr::StreamResult::kQueued);
}

TEST_P(StreamsTest, OneThatIsGivenUpIsACut) {
  TestServer server(options());
  server.listen(handler());
  server.start();
  Client client(server.url());
  ASSERT_TRUE(client.send("drop\nnever answered\n"));
  EXPECT_TRUE(std::string("a part").starts_with(client.receive_all()));
  EXPECT_EQ(client.end(), Client::End::kReset);
  EXPECT_TRUE(wait_until([&] { return server.closed(tr::CloseReason::kReplyCut) == 1; }));
}

TEST_P(StreamsTest, OneThatIsGivenUpBeforeItsTurnIsAnError) {
  TestServer server(options());
  server.listen(handler(), {.ordering = tr::Ordering::kPipelined});
  server.start();
  Client client(server.url());
  ASSERT_TRUE(client.send("wait\nlate\nend\n"));
  ASSERT_EQ(client.receive(6), "begun,");
  EXPECT_TRUE(wait_until([&] { return server.stats().requests == 3; }));
  gate_.open();
  EXPECT_EQ(client.line(), "done");
  EXPECT_EQ(client.line(), "ERR internal");
  EXPECT_EQ(client.line(), "end");
}

TEST_P(StreamsTest, AClientThatLeavesEndsTheWriter) {
  tr::ListenOptions listen;
  listen.limits.write_bytes_high = 64 << 10;
  TestServer server(options());
  server.listen(handler(), listen);
  server.start();
  {
    Client client(server.url(), {.receive_buffer_bytes = 4096});
    ASSERT_TRUE(client.send("large\n"));
    ASSERT_EQ(client.receive(1), "0");
    client.reset();
  }
  EXPECT_TRUE(wait_until([&] { return last_ == tr::StreamResult::kClosed; }));
}

TEST_P(StreamsTest, ADeadlineIsACut) {
  tr::ListenOptions listen;
  listen.handler_time_max = 100ms;
  TestServer server(options());
  server.listen(handler(), listen);
  server.start();
  Client client(server.url());
  ASSERT_TRUE(client.send("wait\n"));
  EXPECT_EQ(client.receive_all(), "begun,");
  EXPECT_EQ(client.end(), Client::End::kReset);
  EXPECT_TRUE(wait_until([&] { return server.closed(tr::CloseReason::kReplyCut) == 1; }));
  gate_.open();
}

TEST_P(StreamsTest, ADrainLetsThemEnd) {
  TestServer server(options());
  server.listen(handler());
  server.start();
  Client client(server.url());
  ASSERT_TRUE(client.send("wait\n"));
  ASSERT_EQ(client.receive(6), "begun,");
  std::vector<tr::StuckJob> stuck;
  std::thread drains([&] { stuck = server.drain(); });
  EXPECT_FALSE(client.readable_within(50ms));
  gate_.open();
  EXPECT_EQ(client.receive_all(), "done\n");
  client.close();
  drains.join();
  EXPECT_TRUE(stuck.empty());
}

// A session that writes what fits, and goes on when it is told that there is room.
struct Pourer {
  explicit Pourer(tr::Peer mine) : peer(std::move(mine)) {}
  void on_request(const tr::Request& request, tr::Reply reply) {
    if (request.text() != "pour") return std::move(reply).send(request.own());
    stream = std::move(reply).stream();
    pour();
  }
  void on_writable() {
    if (!std::exchange(has_pushed, true)) {
      EXPECT_EQ(peer.send("pushed in the midst\n", tr::Overflow::kLatest),
                tr::SendResult::kQueued);
    }
    pour();
  }
  void pour() {
    while (next < kPieces) {
      tr::Bytes piece(piece_of(next));
      if (stream.try_write(piece) != tr::StreamResult::kQueued) return;
      ++next;
    }
    stream.finish();
  }

  const tr::Peer peer;
  tr::ReplyStream stream;
  int next = 0;
  bool has_pushed = false;
};

TEST_P(StreamsTest, ASessionPoursAndIsToldOfRoom) {
  tr::ListenOptions listen;
  listen.limits.write_bytes_high = 64 << 10;
  listen.limits.write_bytes_low = 16 << 10;
  TestServer server(options());
  server.serve<Pourer>(listen);
  server.start();
  Client client(server.url(), {.receive_buffer_bytes = 4096});
  ASSERT_TRUE(client.send("pour\nafterwards\n"));
  EXPECT_TRUE(client.line() == all_pieces());
  EXPECT_EQ(client.line().substr(0, 30), "pushed in the midst");
  EXPECT_EQ(client.line().substr(0, 30), "afterwards");
}

TEST_P(StreamsTest, PiecesAreStringsSharedBytesAndFiles) {
  const support::TemporaryFolder folder;
  const std::string content(700'000, 'f'), shared(90'000, 's');
  std::ofstream(folder.file("part")) << content;
  const tr::SharedBytes bytes(shared);
  const auto stream_all = [&](const tr::Request&, tr::Reply reply) {
    tr::ReplyStream stream = std::move(reply).stream();
    tr::File file;
    EXPECT_FALSE(tr::File::open(folder.file("part"), file));
    EXPECT_EQ(stream.try_write("1"), tr::StreamResult::kQueued);
    EXPECT_EQ(stream.try_write(bytes), tr::StreamResult::kQueued);
    EXPECT_EQ(stream.try_write(tr::FileRange{file, 10, 300'000}), tr::StreamResult::kQueued);
    EXPECT_EQ(stream.try_write("beyond the bound"), tr::StreamResult::kFull);
    stream.finish();
  };
  const std::string wanted = "1" + shared + content.substr(10, 300'000) + "\n";
  for (const bool layered : {false, true}) {
    TestServer server(options());
    tr::ListenOptions listen;
    if (layered) listen.layers = {std::make_shared<support::KnockFactory>()};
    server.listen(stream_all, listen);
    server.start();
    Client client(server.url());
    if (!layered) {
      EXPECT_TRUE(client.converse("x\ny\n", true) == wanted + wanted);
    } else {
      ASSERT_TRUE(client.send(support::kKnock));
      ASSERT_EQ(client.receive(support::kWelcome.size()), support::kWelcome);
      EXPECT_TRUE(client.converse(support::turned("x\ny\n") + support::kBye, true) ==
                  support::turned(wanted + wanted) + support::kBye);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Setups, StreamsTest, ::testing::ValuesIn(support::every_setup()),
                         support::name_of);

}  // namespace
