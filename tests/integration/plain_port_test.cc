// Goal: a client that speaks TLS to a plain port is closed at once, with a reason and a line in the
// log, where the codec is one of text; where it is not, its bytes are requests like any other.
// Method: the first bytes of hellos, whole and in part, on every driver.
#include <algorithm>
#include <chrono>
#include <string>

#include "support/client.h"
#include "support/test_server.h"

namespace {

using support::Client;
using support::TestServer;
using support::wait_until;
namespace tr = trireme;

// With a newline in it, which a random number has at times.
const std::string kHello("\x16\x03\x01\x00\x07\x01\x00\x00\x03\x03\x03\n", 12);

size_t count_of(const std::string& all, std::string_view text) {
  size_t found = 0;
  for (size_t at = all.find(text); at != all.npos; at = all.find(text, at + 1)) ++found;
  return found;
}

class PlainPortTest : public support::ServerTest {};

TEST_P(PlainPortTest, AHelloOfTlsIsClosedWithItsReason) {
  for (const bool has_clock : {true, false}) {
    TestServer server(options());
    tr::ListenOptions listen;
    if (!has_clock) listen.limits.first_byte_time_max = std::chrono::seconds(0);
    server.listen(support::mark, listen);
    server.start();
    const auto begin = std::chrono::steady_clock::now();
    constexpr uint64_t kClients = 20;
    for (uint64_t i = 0; i < kClients; ++i) {
      Client client(server.url());
      ASSERT_TRUE(client.send(kHello.substr(0, i % 2 == 0 ? 2 : kHello.size())));
      EXPECT_EQ(client.receive_all(), "");
    }
    EXPECT_TRUE(
        wait_until([&] { return server.closed(tr::CloseReason::kProtocolError) == kClients; }));
    EXPECT_EQ(server.stats().requests, 0u);
    EXPECT_TRUE(server.says("it speaks TLS to a plain port"));
    const auto seconds =
        std::chrono::duration_cast<std::chrono::seconds>(std::chrono::steady_clock::now() - begin)
            .count();
    EXPECT_LE(count_of(server.log(), "speaks TLS"), static_cast<size_t>(seconds) + 2);
    // Behind a first line it is the codec's.
    Client late(server.url());
    EXPECT_EQ(late.ask("hello"), "<hello>");
    EXPECT_EQ(late.ask("\x16\x03\x01"), "<\x16\x03\x01>");
    // No version of TLS.
    Client other(server.url());
    EXPECT_EQ(other.ask("\x16\x03text"), "<\x16\x03text>");
  }
}

TEST_P(PlainPortTest, OfACodecThatIsNoTextItIsARequest) {
  TestServer server(options());
  server.listen([](const tr::Request& request) -> tr::Answer { return request.own(); }, {},
                tr::bytes());
  server.start();
  Client client(server.url());
  ASSERT_TRUE(client.send(kHello));
  EXPECT_EQ(client.receive(kHello.size()), kHello);
}

INSTANTIATE_TEST_SUITE_P(Every, PlainPortTest, ::testing::ValuesIn(support::every_setup()),
                         support::name_of);

}  // namespace
