// Goal: whoever runs the handlers and whatever the loops wait on, a mistake of a codec costs its
// connection, the others do not notice, and the log names service, client and mistake. Method: a
// codec that does what the line tells it to; clients that go wrong beside one that does not.
#include <gtest/gtest.h>

#include <stdexcept>
#include <string>
#include <vector>

#include "support/client.h"
#include "support/scripted_codec.h"
#include "support/test_server.h"
#include "support/wait.h"

namespace tr = trireme;
using support::Client;
using support::scripted;
using support::TestServer;
using support::wait_until;
using Kind = tr::Frame::Kind;

namespace {

tr::Frame decode(tr::DecodeState&, std::string_view input, bool, size_t) {
  const size_t end = input.find('\n');
  if (end == std::string_view::npos) return {Kind::kIncomplete};
  const std::string_view line = input.substr(0, end);
  if (line == "throw") throw std::runtime_error("no\nsuch\x1bword");
  if (line == "eat") return {Kind::kRequest, input.size() + 1, line};
  if (line == "peek") return {Kind::kRequest, 1, line};
  return {Kind::kRequest, end + 1, line};
}

tr::Envelope envelope(size_t body_bytes) {
  tr::Envelope around = tr::lines()->envelope(body_bytes);
  if (body_bytes % 1'000 == 13) around.head_bytes = 200;
  return around;
}

tr::Answer reply_to(const tr::Request& request) {
  if (request.text() == "overfill") return std::string(13, 'o');
  if (request.text() == "overfill large") return std::string(50'013, 'o');
  return request.own();
}

class CodecMistakesTest : public support::ServerTest {
 protected:
  static tr::ListenOptions named() { return {.limits = {.frame_bytes_max = 64}, .name = "wire"}; }
};

TEST_P(CodecMistakesTest, CostTheirConnectionAndNobodyElse) {
  TestServer server(options());
  server.listen(reply_to, named(), scripted({.decode = decode, .envelope = envelope}));
  server.start();
  Client other(server.url());
  ASSERT_EQ(other.ask("before"), "before");
  uint64_t mistakes = 0;
  for (const std::string mistake : {"throw", "eat", "peek", "overfill", "overfill large"}) {
    Client client(server.url());
    ASSERT_EQ(client.ask("hello"), "hello");
    // No byte that is not its own: the reply before, then the end.
    EXPECT_EQ(client.converse("a\n" + mistake + "\nb\n", true), "a\n") << mistake;
    ++mistakes;
    EXPECT_TRUE(wait_until([&] { return server.closed(tr::CloseReason::kCodecError) == mistakes; }))
        << mistake;
  }
  Client hangs_up(server.url());  // the mistake of every first codec is none
  EXPECT_EQ(hangs_up.converse("x\ny", true), "x\n");
  EXPECT_TRUE(wait_until([&] { return server.closed(tr::CloseReason::kPeerClosed) == 1; }));
  EXPECT_EQ(server.closed(tr::CloseReason::kCodecError), mistakes);
  EXPECT_EQ(other.ask("after"), "after");
  EXPECT_EQ(server.stats().handler_exceptions, 0u);
}

INSTANTIATE_TEST_SUITE_P(Setups, CodecMistakesTest, ::testing::ValuesIn(support::every_setup()),
                         support::name_of);

TEST(CodecMistakesLog, NamesServiceClientAndMistakeAndCountsTheRest) {
  TestServer server({.io_workers = 1});
  server.listen(reply_to, {.name = "wire"}, scripted({.decode = decode}));
  server.start();
  for (int i = 1; i <= 3; ++i) {
    Client client(server.url());
    const std::string address = "127.0.0.1:" + std::to_string(client.port());
    EXPECT_EQ(client.converse("throw\n"), "");
    if (i > 1) continue;
    EXPECT_TRUE(wait_until([&] { return !server.log().empty(); }));
    EXPECT_NE(server.log().find("the codec of 'wire' has made a mistake with " + address +
                                ": decode() threw: std::runtime_error: no\\x0asuch\\x1bword"),
              std::string::npos)
        << server.log();
  }
  EXPECT_TRUE(wait_until([&] { return server.closed(tr::CloseReason::kCodecError) == 3; }));
  // Three within a second, most times: the log does not grow with them.
  const std::string log = server.log();
  EXPECT_LE(std::count(log.begin(), log.end(), '\n'), 3) << log;
}

TEST(CodecMistakesLog, OneClientOfACodecThatFindsNoFrameBringsLittle) {
  TestServer server({.io_workers = 1});
  server.listen(reply_to, {.limits = {.frame_bytes_max = 64}}, scripted({.decode = decode}));
  server.start();
  Client client(server.url());
  const uint64_t before = server.stats().buffer_bytes_peak;
  const std::string megabyte(1 << 20, 'x');
  for (int i = 0; i < 8 && client.send(megabyte); ++i) {
  }
  EXPECT_TRUE(wait_until([&] { return server.closed(tr::CloseReason::kCodecError) == 1; }));
  EXPECT_LE(server.stats().buffer_bytes_peak - before, 1u << 20);
}

}  // namespace
