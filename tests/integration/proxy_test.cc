// Goal: behind a listener that demands PROXY headers, on every driver and wherever handlers run, a
// client is the one that its header tells, and whoever sends none is gone without a byte.
// Method: headers whole, in pieces, late, wrong and missing; then traffic, as on any connection.
#include <chrono>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "support/client.h"
#include "support/proxy_headers.h"
#include "support/test_server.h"

namespace {

using support::Client;
using support::wait_until;
namespace tr = trireme;
using namespace std::chrono_literals;

std::string header(const std::string& source = "192.0.2.33", int port = 56324) {
  return "PROXY TCP4 " + source + " 198.51.100.7 " + std::to_string(port) + " 443\r\n";
}

tr::Answer answer(const tr::Request& request) {
  if (request.text() == "PEER") return request.peer().address();
  if (request.text() == "LAYERS") return request.peer().layers().text();
  return request.own();
}

// One server, with one listener that demands headers.
class ProxyTest : public support::ServerTest {
 protected:
  ~ProxyTest() override {
    server_->drain();
    const char* why = nullptr;
    EXPECT_TRUE(tr::books_balance(server_->stats(), &why)) << why;
  }
  template <class F>
  void serve(F handler, tr::ListenOptions listen = {}, tr::ServerOptions options = {}) {
    make(std::move(options));
    listen.accepting = GetParam().accepting;
    server_->listen("tcp+proxy://127.0.0.1:0", tr::lines(), handler, listen);
    start();
  }
  void serve() { serve(answer); }
  void make(tr::ServerOptions more) {
    tr::ServerOptions all = support::options_of(GetParam());
    all.connections_per_address_max = more.connections_per_address_max;
    all.log = [lines = lines_](tr::LogLevel, std::string_view line) {
      const std::lock_guard lock(lines->mutex);
      lines->text += std::string(line) + "\n";
    };
    server_ = std::make_unique<tr::Server>(std::move(all));
  }
  void start() {
    const auto started = server_->start();
    ASSERT_TRUE(started.ok()) << started.error().message;
    url_ = server_->urls()[0];
    ASSERT_TRUE(url_.starts_with("tcp+proxy://127.0.0.1:"));
    url_.erase(3, 6);  // for clients, who know no layers
  }
  uint64_t closed(tr::CloseReason reason) const {
    return server_->stats().closed_by_reason[static_cast<size_t>(reason)];
  }
  bool says(const std::string& line) const {
    return wait_until([&] {
      const std::lock_guard lock(lines_->mutex);
      return lines_->text.find(line) != std::string::npos;
    });
  }
  // It is closed without a byte.
  static void expect_gone(Client& client) {
    EXPECT_EQ(client.receive_all(), "");
    EXPECT_TRUE(client.end() == Client::End::kEof || client.end() == Client::End::kReset);
  }

  struct Lines {
    std::mutex mutex;
    std::string text;
  };
  const std::shared_ptr<Lines> lines_ = std::make_shared<Lines>();  // owners: this and the log
  std::unique_ptr<tr::Server> server_;
  std::string url_;
};

TEST_P(ProxyTest, AClientIsWhoTheHeaderTells) {
  serve();
  Client one(url_), six(url_), local(url_), unknown(url_);
  ASSERT_TRUE(one.send(header() + "PEER\nLAYERS\n"));  // in one segment
  EXPECT_EQ(one.line(), "192.0.2.33:56324");
  const std::string from = "127.0.0.1:" + std::to_string(one.port());
  EXPECT_EQ(one.line(), "proxy.version=1 proxy.from=" + from +
                            " proxy.source=192.0.2.33:56324 proxy.destination=198.51.100.7:443");
  ASSERT_TRUE(six.send(
      support::v2(0x21, support::block6("2001:db8::a1", 40001) + support::tlv(0x02, "a.example"))));
  EXPECT_EQ(six.ask("PEER"), "[2001:db8::a1]:40001");
  EXPECT_NE(six.ask("LAYERS").find("proxy.authority=a.example"), std::string::npos);
  ASSERT_TRUE(local.send(support::v2(0x00, "", 0x20)));
  EXPECT_EQ(local.ask("PEER"), "127.0.0.1:" + std::to_string(local.port()));
  ASSERT_TRUE(unknown.send("PROXY UNKNOWN\r\n"));
  EXPECT_EQ(unknown.ask("PEER"), "127.0.0.1:" + std::to_string(unknown.port()));
}

TEST_P(ProxyTest, AHeaderMayComeInPieces) {
  serve();
  Client client(url_);
  for (const char byte : header() + "PEER\n") {
    ASSERT_TRUE(client.send({&byte, 1}));
    ASSERT_TRUE(client.wait_all_arrived());
  }
  EXPECT_EQ(client.line(), "192.0.2.33:56324");
}

TEST_P(ProxyTest, TrafficBehindAHeaderIsLikeAnyOther) {
  serve();
  Client client(url_);
  ASSERT_TRUE(client.send(header()));
  std::string sent, wanted;
  for (int i = 0; i < 2000; ++i) sent += "line " + std::to_string(i) + "\n";
  EXPECT_EQ(client.converse(sent, true), sent);  // half-close: all are answered
  EXPECT_TRUE(wait_until([&] { return closed(tr::CloseReason::kPeerClosed) == 1; }));
  if (GetParam().dispatch == tr::Dispatch::kWorkers && !GetParam().uring) {
    Client single(url_);
    ASSERT_TRUE(single.send(header()));
    for (int i = 0; i < 100; ++i) EXPECT_EQ(single.ask("x"), "x");
    // Data workers write by themselves again: nothing is left of the layer.
    EXPECT_GT(server_->stats().direct_writes, 50u);
  }
}

TEST_P(ProxyTest, WithoutAHeaderNobodyIsAnswered) {
  serve();
  for (const std::string first : {"PEER\n", "GET / HTTP/1.1\r\n\r\n", "PROXY TCP4 x\r\n"}) {
    Client client(url_);
    ASSERT_TRUE(client.send(first));
    expect_gone(client);
  }
  EXPECT_TRUE(wait_until([&] { return closed(tr::CloseReason::kLayerFailed) == 3; }));
  EXPECT_TRUE(
      says("is closed by a transport layer: proxy: its PROXY header is not valid: these "
           "are not the first bytes of one"));
  Client cut(url_);
  ASSERT_TRUE(cut.send(header().substr(0, 20)));
  cut.shutdown_write();
  expect_gone(cut);
  EXPECT_EQ(server_->stats().requests, 0u);
}

TEST_P(ProxyTest, ASlowHeaderEndsAtItsDeadline) {
  tr::ListenOptions listen;
  listen.limits.handshake_time_max = 200ms;
  serve(answer, listen);
  Client silent(url_), half(url_), in_time(url_);
  ASSERT_TRUE(half.send(header().substr(0, 20)));
  ASSERT_TRUE(in_time.send(header()));
  expect_gone(silent);
  expect_gone(half);
  EXPECT_TRUE(wait_until([&] { return closed(tr::CloseReason::kHandshakeTimeout) == 2; }));
  EXPECT_EQ(in_time.ask("PEER"), "192.0.2.33:56324");
}

TEST_P(ProxyTest, ADrainWaitsForNoHeader) {
  serve();
  Client silent(url_), half(url_), whole(url_);
  ASSERT_TRUE(half.send(header().substr(0, 20)));
  ASSERT_TRUE(whole.send(header()));
  ASSERT_EQ(whole.ask("x"), "x");
  ASSERT_TRUE(wait_until([&] { return server_->stats().accepted == 3; }));
  const auto begun = std::chrono::steady_clock::now();
  whole.shutdown_write();
  EXPECT_TRUE(server_->drain().empty());
  EXPECT_LT(std::chrono::steady_clock::now() - begun, 2s);
  expect_gone(silent);
  expect_gone(half);
  EXPECT_EQ(closed(tr::CloseReason::kDrained) + closed(tr::CloseReason::kPeerClosed), 3u);
}

TEST_P(ProxyTest, OnlyListedSendersAreBelieved) {
  tr::ListenOptions listen;
  listen.proxy_from = {"127.0.0.2", "10.0.0.0/8"};
  serve(answer, listen);
  Client other(url_), listed(url_, {.from = "127.0.0.2"});
  other.send(header() + "PEER\n");  // it may be gone by now
  expect_gone(other);
  ASSERT_TRUE(listed.send(header()));
  EXPECT_EQ(listed.ask("PEER"), "192.0.2.33:56324");
  EXPECT_TRUE(wait_until([&] { return closed(tr::CloseReason::kLayerFailed) == 1; }));
  EXPECT_TRUE(says("is turned away: proxy_from does not list it"));
}

// The proxy itself is not a client, however many connections it has.
TEST_P(ProxyTest, TheLimitOfAnAddressIsThatOfTheToldOne) {
  tr::ServerOptions few;
  few.connections_per_address_max = 2;
  serve(answer, {}, few);
  std::vector<Client> clients, unsaid;
  for (int i = 0; i < 5; ++i) unsaid.emplace_back(url_);
  for (int i = 0; i < 6; ++i) {
    Client& client = clients.emplace_back(url_);
    ASSERT_TRUE(client.send(header("192.0.2." + std::to_string(i / 2), 1000 + i)));
    ASSERT_EQ(client.ask("x"), "x");
  }
  Client third(url_);
  third.send(header("192.0.2.1", 7) + "PEER\n");
  expect_gone(third);
  EXPECT_TRUE(wait_until([&] { return closed(tr::CloseReason::kRefused) == 1; }));
  EXPECT_TRUE(says("192.0.2.1:7 is refused: connections_per_address_max is reached, 2 of its"));
  clients[2].close();
  EXPECT_TRUE(wait_until([&] {
    Client again(url_);
    return again.send(header("192.0.2.1", 8)) && again.ask("PEER") == "192.0.2.1:8";
  }));
}

struct Greeter {
  explicit Greeter(tr::Peer peer) { peer.send("welcome " + peer.address() + "\n"); }
  tr::Answer on_request(const tr::Request& request) { return request.own(); }
};

TEST_P(ProxyTest, ASessionBeginsBehindTheHeader) {
  make({});
  tr::ListenOptions listen;
  listen.accepting = GetParam().accepting;
  server_->serve<Greeter>("tcp+proxy://127.0.0.1:0", tr::lines(), listen);
  start();
  Client client(url_);
  ASSERT_TRUE(client.send(header().substr(0, 30)));
  ASSERT_TRUE(client.wait_all_arrived());
  EXPECT_FALSE(client.readable_within(50ms));  // a greeting would have been sent by now
  ASSERT_TRUE(client.send(header().substr(30)));
  EXPECT_EQ(client.line(), "welcome 192.0.2.33:56324");
}

INSTANTIATE_TEST_SUITE_P(Every, ProxyTest, ::testing::ValuesIn(support::every_setup()),
                         support::name_of);

TEST(ProxyRefusals, SayWhatIsWrong) {
  const auto refusal = [](const std::string& url, std::vector<std::string> from) {
    tr::Server server;
    tr::ListenOptions listen;
    listen.proxy_from = std::move(from);
    server.listen(url, tr::lines(), answer, listen);
    const auto started = server.start();
    return started.ok() ? "it starts" : started.error().message;
  };
  EXPECT_EQ(refusal("tcp+proxy://127.0.0.1:0", {"10.0.0.0/8", "::/0"}), "it starts");
  EXPECT_EQ(refusal("tcp+proxy://127.0.0.1:0", {"10.0.0.1/8"}),
            "cannot listen at 'tcp+proxy://127.0.0.1:0': proxy_from has '10.0.0.1/8': the address "
            "has bits behind those that count");
  EXPECT_EQ(refusal("tcp://127.0.0.1:0", {"10.0.0.0/8"}),
            "cannot listen at 'tcp://127.0.0.1:0': proxy_from is of use with tcp+proxy:// only");
  for (const std::string layers : {"+tls+proxy", "+proxy+proxy", "+"}) {
    EXPECT_EQ(refusal("tcp" + layers + "://127.0.0.1:0", {}),
              "cannot listen at 'tcp" + layers + "://127.0.0.1:0': '" + layers +
                  "' is no list of layers; there are +proxy and, behind it, +tls, each "
                  "once at most");
  }
}

}  // namespace
