// Goal: `trireme bench http` and `ws` load a server as they say, and find what it does wrong.
// Method: the real program against the service hello, and against a server in the test that says
// what it is told to.
#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <string>

#include "support/test_server.h"
#include "tool/bench_runs.h"

namespace {

namespace tr = trireme;
using support::Child;
using support::contains;
using support::Ended;
using support::number;
using support::short_run;
using support::Words;

// Answers each piece that comes with what `answer` makes of it; a request fits a piece.
class Says {
 public:
  explicit Says(std::function<std::string(std::string_view)> answer) : server_({.io_workers = 1}) {
    const auto handler = [answer = std::move(answer)](const tr::Request& request) -> tr::Answer {
      return answer(request.text());
    };
    server_.listen(handler, {}, tr::bytes());
    server_.start();
  }
  // "://127.0.0.1:PORT"
  std::string host() const { return server_.url().substr(server_.url().find("://")); }

 private:
  support::TestServer server_;
};

std::string reply_of(std::string_view content, std::string_view status = "200 OK",
                     std::string_view more = "") {
  return "HTTP/1.1 " + std::string(status) +
         "\r\nContent-Length: " + std::to_string(content.size()) + "\r\n" + std::string(more) +
         "\r\n" + std::string(content);
}

TEST(BenchWeb, TakesTheLengthOfTheFirstReplyOrTheOneThatIsGiven) {
  int count = 0;
  Says server(
      [&](std::string_view) { return reply_of(++count % 10 == 0 ? "shorter" : "as long"); });
  Says short_one(
      [&](std::string_view) { return reply_of(++count % 10 == 0 ? "short" : "longer"); });
  const Words words = {"--connections", "1"};
  const auto run = [&](const Says& peer, const Words& more) {
    Words all = {"http", "http" + peer.host()};
    all.insert(all.end(), words.begin(), words.end());
    all.insert(all.end(), more.begin(), more.end());
    return short_run(all);
  };
  EXPECT_EQ(run(server, {}).status, 0);
  const Ended wrong = run(short_one, {});
  EXPECT_EQ(wrong.status, 1) << wrong.out;
  EXPECT_TRUE(contains(wrong.out, "bytes of content: got ")) << wrong.out;
  EXPECT_EQ(run(server, {"--reply-bytes", "7"}).status, 0);
  const Ended other = run(server, {"--reply-bytes", "8"});
  EXPECT_TRUE(contains(other.out, "connection 0: bytes of content: got 7, expected 8"))
      << other.out;
}

TEST(BenchWeb, ChecksTheStatusAndCountsRefusals) {
  Says missing([](std::string_view) { return reply_of("x", "404 Not Found"); });
  const Ended wrong = short_run({"http", "http" + missing.host() + "/a"});
  EXPECT_EQ(wrong.status, 1) << wrong.out;
  EXPECT_TRUE(contains(wrong.out, "status: got 404, expected 200")) << wrong.out;
  EXPECT_EQ(short_run({"http", "http" + missing.host(), "--status", "404"}).status, 0);

  Says busy([](std::string_view) { return reply_of("x", "503 Service Unavailable"); });
  const Ended refused = short_run({"http", "http" + busy.host()});
  EXPECT_EQ(refused.status, 0) << refused.out;
  EXPECT_GE(number(refused.out, "refused"), number(refused.out, "requests")) << refused.out;
}

TEST(BenchWeb, SaysWhatItIsTold) {
  Says server([](std::string_view request) {
    const bool good = request.starts_with("DELETE /a?b HTTP/1.1\r\nHost: 127.0.0.1:") &&
                      request.ends_with("\r\nX-One: 1\r\nX-Two: 2\r\n\r\n");
    return reply_of("x", good ? "200 OK" : "400 Bad Request");
  });
  const Ended run = short_run({"http", "http" + server.host() + "/a?b", "--method", "DELETE",
                               "--header", "X-One: 1", "--header", "X-Two: 2"});
  EXPECT_EQ(run.status, 0) << run.out << run.errors;
}

TEST(BenchWeb, FindsAByteThatDidNotComeBack) {
  int count = 0;
  Says server([&](std::string_view request) {
    std::string content(request.substr(request.find("\r\n\r\n") + 4));
    if (++count == 5) content[7] = '!';
    return reply_of(content);
  });
  const Ended run =
      short_run({"http", "http" + server.host(), "--connections", "1", "--bytes", "50", "--echo"});
  EXPECT_EQ(run.status, 1) << run.out;
  EXPECT_EQ(number(run.out, "wrong_bytes"), 1) << run.out;
}

TEST(BenchWeb, ConnectsAnewWhereTheServerEndsTheConnection) {
  Says server([](std::string_view) { return reply_of("x", "200 OK", "Connection: close\r\n"); });
  const Ended run = short_run({"http", "http" + server.host(), "--connections", "2"});
  EXPECT_EQ(run.status, 0) << run.out;
  EXPECT_GE(number(run.out, "connections_opened"), number(run.out, "requests"));
  const Ended owed = short_run({"http", "http" + server.host(), "--depth", "3"});
  EXPECT_EQ(owed.status, 1) << owed.out;
}

TEST(BenchWeb, FindsWhatIsNoProtocol) {
  Says server([](std::string_view) { return "hello\r\n\r\n"; });
  const Ended http = short_run({"http", "http" + server.host()}, "20s");
  EXPECT_EQ(http.status, 1) << http.out;
  EXPECT_TRUE(contains(http.out, "what the server sent is no HTTP/1.1")) << http.out;
  const Ended ws = short_run({"ws", "ws" + server.host()}, "20s");
  EXPECT_EQ(ws.status, 1) << ws.out;
  EXPECT_TRUE(contains(ws.out, "no WebSocket: the server answered hello")) << ws.out;
  Says silent([](std::string_view) { return ""; });
  const Ended waits = short_run({"ws", "ws" + silent.host(), "--connect-timeout", "200ms"});
  EXPECT_EQ(waits.status, 1) << waits.out;
  EXPECT_TRUE(contains(waits.out, "its handshake has no answer")) << waits.out;
}

#ifdef TRIREME_HAS_HTTP

class BenchHello : public ::testing::TestWithParam<Words> {};

TEST_P(BenchHello, PassesAndCounts) {
  Child server({"serve", "hello", "--listen", "tcp://127.0.0.1:0", "--io-workers", "2"});
  Words words = GetParam();
  words[1] = words[0] + server.url().substr(server.url().find("://")) + words[1];
  words.insert(words.end(), {"--pid", std::to_string(server.pid())});
  const Ended run = short_run(words);
  ASSERT_EQ(run.status, 0) << run.out << run.errors;
  EXPECT_EQ(run.errors, "");
  EXPECT_GT(number(run.out, "requests"), 0);
  EXPECT_EQ(number(run.out, "wrong_bytes"), 0);
  EXPECT_EQ(number(run.out, "refused"), 0);
}

INSTANTIATE_TEST_SUITE_P(
    Bench, BenchHello,
    ::testing::Values(
        Words{"http", "/"}, Words{"http", "/", "--reply-bytes", "13"},
        Words{"http", "/", "--depth", "16", "--threads", "2"}, Words{"http", "/", "--rate", "500"},
        Words{"http", "/", "--close"}, Words{"http", "/", "--close", "--rate", "200"},
        Words{"http", "/", "--method", "HEAD", "--depth", "2"},
        Words{"http", "/none", "--status", "404"}, Words{"http", "/echo", "--bytes", "5KiB"},
        Words{"http", "/echo", "--bytes", "100KiB", "--echo", "--depth", "3"},
        Words{"http", "/", "--connections", "100", "--active", "3"},
        Words{"http", "/delay/0", "--block", "0.1", "--block-path", "/delay/2000"},
        Words{"ws", "/ws"},
        Words{"ws", "/ws", "--binary", "--bytes", "70KiB", "--depth", "2", "--connections", "2"},
        Words{"ws", "/ws", "--rate", "500", "--threads", "2"},
        Words{"ws", "/ws", "--connections", "100", "--active", "3"}));

#endif

}  // namespace
