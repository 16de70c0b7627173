// Goal: what a client gets depends on the bytes it sends, not on how they arrive; nothing that has
// arrived is lost at the end of the stream.
// Method: one conversation cut at every byte; large and numerous requests followed by a FIN.
#include <string>

#include "support/client.h"
#include "support/gate.h"
#include "support/test_server.h"

namespace {

using support::Client;
using support::scaled;
using support::TestServer;
namespace tr = trireme;

class InputTest : public support::ServerTest {};

TEST_P(InputTest, CutAtEveryByte) {
  TestServer server(options());
  tr::ListenOptions listen;
  listen.limits.frame_bytes_max = 40;
  server.listen(support::mark, listen);
  server.start();
  const std::string input = "one\n\r\n" + std::string(50, 'x') + "\ntwo\r\n" +
                            std::string(40, 'y') + "\r\nthree\nnot ended";
  const std::string expected =
      "<one>\n<>\nERR the line is too long\n<two>\n<" + std::string(40, 'y') + ">\n<three>\n";
  for (size_t cut = 0; cut <= input.size(); ++cut) {
    Client client(cut % 2 == 0 ? server.url() : server.url6());
    ASSERT_TRUE(client.send(input.substr(0, cut)));
    ASSERT_TRUE(client.wait_all_arrived());
    ASSERT_EQ(client.converse(input.substr(cut), true), expected) << "cut at byte " << cut;
    ASSERT_EQ(client.end(), Client::End::kEof);
  }
  EXPECT_EQ(server.stats().partial_requests_dropped, input.size() + 1);
}

TEST_P(InputTest, ByteByByte) {
  TestServer server(options());
  server.listen(support::mark);
  server.start();
  Client client(server.url());
  std::string expected;
  for (int i = 0; i < 4; ++i) {
    const std::string line = "request " + std::to_string(i);
    for (const char byte : line + "\n") {
      ASSERT_TRUE(client.send(std::string_view(&byte, 1)));
      ASSERT_TRUE(client.wait_all_arrived());
    }
    ASSERT_EQ(client.line(), "<" + line + ">");
  }
}

TEST_P(InputTest, HalfCloseWithMegabytesInFlight) {
  TestServer server(options());
  server.listen([](const tr::Request& request) -> tr::Answer { return request.text(); }, {},
                tr::bytes());
  server.start();
  std::string sent(8 << 20, '\0');
  for (size_t i = 0; i < sent.size(); ++i) sent[i] = static_cast<char>((i * 2654435761u) >> 13);
  Client client(server.url());
  const std::string received = client.converse(sent, true);
  EXPECT_EQ(client.end(), Client::End::kEof);
  EXPECT_EQ(received.size(), sent.size());
  EXPECT_TRUE(received == sent);
  client.close();
  EXPECT_TRUE(
      support::wait_until([&] { return server.closed(tr::CloseReason::kPeerClosed) == 1; }));
}

// A slow reader is held back and still gets every byte after its own FIN.
TEST_P(InputTest, HalfCloseThenReadLate) {
  TestServer server(options());
  server.listen([](const tr::Request& request) -> tr::Answer { return request.text(); }, {},
                tr::bytes());
  server.start();
  Client client(server.url(), {.receive_buffer_bytes = 4096});
  const std::string sent = std::string(1'000'000, 'a') + std::string(1'000'000, 'b');
  const size_t taken = client.send_until_full(sent, std::chrono::milliseconds(5));
  client.shutdown_write();
  const std::string received = client.receive_all();
  EXPECT_EQ(client.end(), Client::End::kEof);
  EXPECT_TRUE(received == sent.substr(0, taken)) << received.size() << " of " << taken;
}

class PipelineTest : public support::ServerTest {
 protected:
  void ask_many(tr::Ordering ordering, int count) {
    TestServer server(options());
    server.listen(support::mark, {.ordering = ordering});
    server.start();
    std::string input, expected;
    for (int i = 0; i < count; ++i) {
      input += std::to_string(i) + "\n";
      expected += "<" + std::to_string(i) + ">\n";
    }
    Client client(server.url());
    const std::string received = client.converse(input, true);
    EXPECT_EQ(client.end(), Client::End::kEof);
    ASSERT_EQ(received.size(), expected.size());
    EXPECT_TRUE(received == expected);
    EXPECT_EQ(server.stats().requests, static_cast<uint64_t>(count));
  }
};

TEST_P(PipelineTest, ManyRequestsThenFinSerial) {
  ask_many(tr::Ordering::kSerial, scaled(200'000));
}

TEST_P(PipelineTest, ManyRequestsThenFinPipelined) {
  ask_many(tr::Ordering::kPipelined, scaled(200'000));
}

// The replies finish in another order than the requests came.
TEST_P(PipelineTest, RepliesInRequestOrderWhateverFinishesFirst) {
  if (GetParam().dispatch == tr::Dispatch::kInline) GTEST_SKIP() << "inline runs one at a time";
  TestServer server(options());
  support::Gate gate;
  auto handler = [gate](const tr::Request& request) -> tr::Answer {
    if (request.text() == "slow") gate.wait();
    return request.own();
  };
  server.listen(handler, {.ordering = tr::Ordering::kPipelined});
  server.start();
  const support::Gate::Opener opener(gate);
  Client client(server.url());
  ASSERT_TRUE(client.send("slow\n1\n2\n3\nslow\n4\n"));
  ASSERT_TRUE(
      support::wait_until([&] { return gate.arrived() == 2 && server.stats().requests == 6; }));
  EXPECT_FALSE(client.readable_within(std::chrono::milliseconds(20)));
  gate.open();
  client.shutdown_write();
  EXPECT_EQ(client.receive_all(), "slow\n1\n2\n3\nslow\n4\n");
}

INSTANTIATE_TEST_SUITE_P(Setups, InputTest, ::testing::ValuesIn(support::every_setup()),
                         support::name_of);
INSTANTIATE_TEST_SUITE_P(Setups, PipelineTest, ::testing::ValuesIn(support::every_setup()),
                         support::name_of);

}  // namespace
