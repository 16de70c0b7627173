// Goal: a head says what RFC 9110 and 9112 say that it says, and everything that two readers could
// see differently is refused. Method: texts, and the facts or the status that they give.
#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include "http/message/head.h"
#include "http/message/target.h"
#include "messages.h"

namespace {

namespace http = trireme::http;
using http::MessageFacts;
using http::Method;

http::Refusal read(std::string text, http::Head& head, const http::HeadLimits& limits = {}) {
  http::HeadEnd end;
  if (!end.find(text, limits)) {
    return end.refusal() ? end.refusal() : http::Refusal{1, "not whole"};
  }
  EXPECT_EQ(end.bytes(), text.size());
  return http::read_head({text.data(), text.size()}, limits, head);
}

// The lines with CR LF, and the empty line behind them.
std::string lines(std::vector<std::string> all) {
  std::string text;
  for (const std::string& line : all) text += line + "\r\n";
  return text + "\r\n";
}
std::string get(std::string fields) { return "GET / HTTP/1.1\r\nHost: a\r\n" + fields + "\r\n"; }

TEST(HttpHead, SaysWhereItsPartsAre) {
  http::Head head;
  const std::string text =
      lines({"POST /a/b?c=d HTTP/1.1", "Host: example.org:80", "Content-Length: 12"});
  ASSERT_FALSE(read(text, head));
  EXPECT_EQ(head.facts.method, Method::kPost);
  EXPECT_EQ(head.facts.path_of(text), "/a/b");
  EXPECT_EQ(head.facts.query_of(text), "?c=d");
  EXPECT_EQ(head.facts.head_bytes, text.size());
  EXPECT_EQ(head.facts.flags, MessageFacts::kKeepAlive);
  EXPECT_EQ(head.content_bytes, 12u);
  EXPECT_FALSE(head.chunked);
}

TEST(HttpHead, KnowsTheFormsOfTargets) {
  http::Head head;
  std::string text = lines({"GET HTTP://Example.org:8080/x?y HTTP/1.1", "Host: a"});
  ASSERT_FALSE(read(text, head));
  EXPECT_EQ(head.facts.path_of(text), "/x");
  EXPECT_EQ(head.facts.query_of(text), "?y");
  EXPECT_TRUE(head.facts.has(MessageFacts::kAbsoluteForm));
  text = lines({"GET http://example.org?y HTTP/1.1", "Host: a"});
  ASSERT_FALSE(read(text, head));
  EXPECT_EQ(head.facts.path_of(text), "");
  EXPECT_EQ(head.facts.query_of(text), "?y");
  text = lines({"OPTIONS * HTTP/1.1", "Host: a"});
  ASSERT_FALSE(read(text, head));
  EXPECT_EQ(head.facts.path_of(text), "*");
  EXPECT_EQ(read(lines({"CONNECT a:1 HTTP/1.1", "Host: a"}), head).status, 501);
}

TEST(HttpHead, RefusesTargetsThatAreNone) {
  http::Head head;
  for (const char* target : {"*",
                             "index.html",
                             "?q=1",
                             "127.0.0.1:80",
                             "/#part",
                             "/a#",
                             "/%zz",
                             "/%4",
                             "/\xc3\xa9",
                             "/\xff",
                             "/a\x01",
                             "/a\x7f",
                             "/a\tb",
                             "http://user:word@a/",
                             "http://a:port/",
                             "http:///inner",
                             "ftp://a/",
                             "/<x>",
                             "/\"x\"",
                             "/{x}",
                             "/a\\b",
                             "/a^b",
                             "/a|b",
                             "/a`b",
                             "http://[::1/",
                             "/one two"}) {
    const auto refusal = read(lines({"GET " + std::string(target) + " HTTP/1.1", "Host: a"}), head);
    EXPECT_EQ(refusal.status, 400) << target;
  }
  EXPECT_EQ(read(lines({"OPTIONS */inner HTTP/1.1", "Host: a"}), head).status, 400);
}

TEST(HttpHead, RefusesRequestLinesThatAreNone) {
  http::Head head;
  for (const char* line : {" GET / HTTP/1.1",
                           "GET  / HTTP/1.1",
                           "GET /  HTTP/1.1",
                           "GET\t/\tHTTP/1.1",
                           "GET / HTTP/1.1 ",
                           "GET / HTTP/1.1 HTTP/1.1",
                           "GET /",
                           "GET HTTP/1.1",
                           "GET / http/1.1",
                           "GET / HTtP/1.1",
                           "GET / HTTP/1.1x",
                           "GET / HTTP/1.10",
                           "GET / HTTP/1",
                           "GET / HTTP/1.",
                           "GET / HTTP/01.1",
                           "GET / HTTP/1.01",
                           "GET / HTTP/1,1",
                           "GET / HTTP/ 1.1",
                           "GET / HTTP1.1",
                           "GET / HTTP/+1.1",
                           "GET / ICE/1.0",
                           "GET / HTTPS/1.1",
                           "GET / HTTP/1.A",
                           "GET / HTTP/0.9",
                           "GE\x01T / HTTP/1.1",
                           "GET: / HTTP/1.1",
                           "G\"E\"T / HTTP/1.1",
                           "G\xc9T / HTTP/1.1",
                           "G/ET / HTTP/1.1",
                           "GET, / HTTP/1.1",
                           "HTTP/1.1 200 OK",
                           "   ",
                           "GET /a\rb HTTP/1.1",
                           "GET / \rHTTP/1.1"}) {
    const auto status = read(lines({line, "Host: a"}), head).status;
    EXPECT_TRUE(status == 400) << line << ": " << status;
  }
  for (const char* line : {"GET / HTTP/2.0", "GET / HTTP/3.0", "GET / HTTP/9.9"}) {
    EXPECT_EQ(read(lines({line, "Host: a"}), head).status, 505) << line;
  }
  for (const char* line :
       {"BREW / HTTP/1.1", "get / HTTP/1.1", "GETS / HTTP/1.1", "X!#$%&'*+-.^_`|~ / HTTP/1.1"}) {
    EXPECT_EQ(read(lines({line, "Host: a"}), head).status, 501) << line;
  }
  EXPECT_FALSE(read(lines({"GET / HTTP/1.2", "Host: a"}), head));
  EXPECT_FALSE(head.facts.has(MessageFacts::kVersion10));
}

TEST(HttpHead, RefusesFieldsThatAreNone) {
  http::Head head;
  for (const char* fields : {"X-Note : 1\r\n",          "XNote\r\n",
                             ": nothing\r\n",           "X Note: 1\r\n",
                             "X@Note: 1\r\n",           "X/Note: 1\r\n",
                             "X=Note: 1\r\n",           "X\\Note: 1\r\n",
                             "X\x01Note: 1\r\n",        "X\xc3Note: 1\r\n",
                             "X-Note\x0b: 1\r\n",       "X-Note: a\rb\r\n",
                             "X-Note: a\x01\r\n",       "X-Note: a\x7f\r\n",
                             "X-Note: one\r\n two\r\n", "X-Note: one\r\n\ttwo\r\n",
                             "GET /inner HTTP/1.1\r\n", "X-Note: 1\n",
                             "X-Note: a\r\r\n",         "X(Note): 1\r\n",
                             "X{Note}: 1\r\n"}) {
    EXPECT_EQ(read(get(fields), head).status, 400) << fields;
  }
  using namespace std::string_literals;
  EXPECT_EQ(read(get("X\0Note: 1\r\n"s), head).status, 400);
  EXPECT_EQ(read(get("X-Note: a\0b\r\n"s), head).status, 400);
  EXPECT_EQ(read("GET / HTTP/1.1\r\n X: 1\r\nHost: a\r\n\r\n", head).status, 400);
  EXPECT_EQ(read("GET / HTTP/1.1\nHost: a\n\n", head).status, 400);
  for (const char* fields : {"X!#$%&'*+-.^_`|~09Az: 1\r\n", "X-Note:\r\n", "X-Note: a\tb\r\n",
                             "X-Note: caf\xe9 \xff\r\n", "X-Note: \t 1 \t \r\n"}) {
    EXPECT_FALSE(read(get(fields), head)) << fields;
  }
}

TEST(HttpHead, WantsOneHostThatIsOne) {
  http::Head head;
  EXPECT_EQ(read(lines({"GET / HTTP/1.1"}), head).status, 400);
  EXPECT_EQ(read(lines({"GET http://a/ HTTP/1.1"}), head).status, 400);
  EXPECT_EQ(read(lines({"GET / HTTP/1.1", "Host: a", "hoST: a"}), head).status, 400);
  EXPECT_EQ(read(lines({"GET / HTTP/1.0", "Host: a", "Host: b"}), head).status, 400);
  EXPECT_EQ(read(lines({"GET / HTTP/1.1", "Host:", "Host: a"}), head).status, 400);
  EXPECT_FALSE(read(lines({"GET / HTTP/1.0"}), head));
  EXPECT_FALSE(read(lines({"GET / HTTP/1.1", "Host:"}), head));
  for (const char* host :
       {"user@a", "a/inner", "a?q", "a#f", "a, b", "127.0.0.1:http", "a:80:80", "[::1", "::1",
        "[name]", "a\\b", "<a>", "a%zz", "a\tb", "a|b", "a b", ":80", "[::1]x", "a:123456"}) {
    EXPECT_EQ(read(lines({"GET / HTTP/1.1", "Host: " + std::string(host)}), head).status, 400)
        << host;
  }
  for (const char* host : {"a", "LOCALHOST:1", "a-b_c~d!$&'()*+;=%41:80", "[::1]:80", "[::1]",
                           "127.0.0.1", "a:", "[v1.x]"}) {
    EXPECT_FALSE(read(lines({"GET / HTTP/1.1", "Host: " + std::string(host)}), head)) << host;
  }
}

TEST(HttpHead, TakesOneLengthOnly) {
  http::Head head;
  for (const char* value : {"-5", "+5", "five", "5e0", "0 5", "5 5", "5;n=1", "\"5\"", "5\x85",
                            "\x0b"
                            "5",
                            "5\x0c", "5, 6", "5, 5", "5,", "a", "%35", "", "18446744073709551621",
                            "99999999999999999999999999999"}) {
    EXPECT_EQ(read(get("Content-Length: " + std::string(value) + "\r\n"), head).status, 400)
        << value;
  }
  EXPECT_EQ(read(get("Content-Length: 5\r\nContent-Length: 5\r\n"), head).status, 400);
  EXPECT_EQ(read(get("Content-Length: 0\r\ncontent-length: 5\r\n"), head).status, 400);
  EXPECT_EQ(read(get("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n"), head).status, 400);
  EXPECT_EQ(read(get("Transfer-Encoding: chunked\r\nContent-Length: 5\r\n"), head).status, 400);
  EXPECT_EQ(read(get("Content-Length: 0\r\nTransfer-Encoding: chunked\r\n"), head).status, 400);
  EXPECT_FALSE(read(get("Content-Length: 010\r\n"), head));
  EXPECT_EQ(head.content_bytes, 10u);
  EXPECT_FALSE(
      read(get("XContent-Length: 5\r\nContent-Lengthx: 5\r\nContent_Length: 5\r\n"), head));
  EXPECT_EQ(head.content_bytes, 0u);
}

TEST(HttpHead, TakesChunkedAlone) {
  http::Head head;
  for (const char* value : {"pigeons", "gzip", "chunked, gzip", "chunked, identity", "",
                            "chunked;q=1", "'chunked'", "xchunked", "chunkedx",
                            "\x0b"
                            "chunked",
                            "chunked\x0c",
                            "\xa0"
                            "chunked",
                            "chunkedchunked", "\"chunked\""}) {
    EXPECT_EQ(read(get("Transfer-Encoding: " + std::string(value) + "\r\n"), head).status, 400)
        << value;
  }
  for (const char* value :
       {"gzip, chunked", "identity, chunked", ", chunked", "chunked, chunked"}) {
    const auto status = read(get("Transfer-Encoding: " + std::string(value) + "\r\n"), head).status;
    EXPECT_TRUE(status == 501 || status == 400) << value;
  }
  EXPECT_EQ(read(get("Transfer-Encoding: gzip, chunked\r\n"), head).status, 501);
  EXPECT_EQ(read(get("Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n"), head).status,
            400);
  EXPECT_EQ(read(lines({"POST / HTTP/1.0", "Transfer-Encoding: chunked"}), head).status, 400);
  for (const char* value : {"chunked", "ChUnKeD", "\tchunked", "chunked\t "}) {
    EXPECT_FALSE(read(get("Transfer-Encoding: " + std::string(value) + "\r\n"), head)) << value;
    EXPECT_TRUE(head.chunked);
  }
}

TEST(HttpHead, SaysWhetherTheConnectionLivesOn) {
  const auto keeps = [](const char* version, std::string fields) {
    http::Head head;
    EXPECT_FALSE(
        read("GET / HTTP/" + std::string(version) + "\r\nHost: a\r\n" + fields + "\r\n", head));
    return head.facts.has(MessageFacts::kKeepAlive);
  };
  EXPECT_TRUE(keeps("1.1", ""));
  EXPECT_FALSE(keeps("1.0", ""));
  for (const char* value :
       {"close", "CLOSE", "close,x-one", "close, keep-alive", "keep-alive, close", "\tclose\t",
        "Upgrade, close", "Host, Date, close, Content-Type"}) {
    EXPECT_FALSE(keeps("1.1", "Connection: " + std::string(value) + "\r\n")) << value;
    EXPECT_FALSE(keeps("1.0", "Connection: " + std::string(value) + "\r\n")) << value;
  }
  EXPECT_FALSE(keeps("1.1", "Connection: x-one\r\nConnection: close\r\n"));
  for (const char* value : {"closed", "x-close", "x-one, x-two", "keep-alive", ""}) {
    EXPECT_TRUE(keeps("1.1", "Connection: " + std::string(value) + "\r\n")) << value;
  }
  EXPECT_TRUE(keeps("1.1", "Proxy-Connection: close\r\n"));
  EXPECT_TRUE(keeps("1.0", "Connection: Keep-Alive\r\n"));
  EXPECT_TRUE(keeps("1.0", "Connection: x, keep-alive\r\n"));
}

TEST(HttpHead, KnowsExpectationsAndUpgrades) {
  http::Head head;
  EXPECT_FALSE(read(get("Expect: 100-Continue \t\r\nContent-Length: 5\r\n"), head));
  EXPECT_TRUE(head.facts.has(MessageFacts::kExpects));
  EXPECT_FALSE(read(get("Expect: 100-continue\r\nExpect: 100-continue\r\n"), head));
  EXPECT_FALSE(head.facts.has(MessageFacts::kExpects)) << "no content, nothing to wait for";
  EXPECT_EQ(read(get("Expect: tea\r\n"), head).status, 417);
  EXPECT_FALSE(read(get("Connection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n"), head));
  EXPECT_TRUE(head.facts.has(MessageFacts::kUpgrade));
  EXPECT_FALSE(read(get("Upgrade: websocket\r\n"), head));
  EXPECT_FALSE(head.facts.has(MessageFacts::kUpgrade));
  EXPECT_FALSE(read(lines({"GET / HTTP/1.0", "Connection: Upgrade", "Upgrade: websocket"}), head));
  EXPECT_FALSE(head.facts.has(MessageFacts::kUpgrade));
}

TEST(HttpHead, HasLimitsWithAnswersOfTheirOwn) {
  http::HeadLimits limits;
  limits.line_bytes_max = 100;
  limits.head_bytes_max = 300;
  limits.fields_max = 3;
  http::Head head;
  const auto status = [&](std::string text) { return read(std::move(text), head, limits).status; };
  const std::string x100(100, 'x'), x300(300, 'x');
  EXPECT_EQ(status("GET /" + x100 + " HTTP/1.1\r\nHost: a\r\n\r\n"), 414);
  EXPECT_EQ(status("GET /" + x100), 414);
  EXPECT_EQ(status(x100), 501) << "a method without end";
  EXPECT_EQ(status("GET / HTTP/1.1\r\nHost: a\r\nX: " + x300 + "\r\n\r\n"), 431);
  EXPECT_EQ(status("GET / HTTP/1.1\r\nHost: a\r\nX: " + x300), 431);
  EXPECT_EQ(status(get("A: 1\r\nB: 2\r\nC: 3\r\n")), 431);
  EXPECT_EQ(status(get("A: 1\r\nB: 2\r\n")), 0);
  EXPECT_EQ(status("GET / HTTP/1.1\r\nHost: a\r\nX"), 1);
  EXPECT_EQ(status("\x16\x03\x01"), 400) << "a TLS client is not waited for";
}

TEST(HttpTarget, IsDecodedWhereItsCodesAreWhole) {
  EXPECT_EQ(http::percent_decode("a%20b%2Fc+d"), "a b/c+d");
  EXPECT_EQ(http::percent_decode("a+b", true), "a b");
  EXPECT_EQ(http::percent_decode("%4"), std::nullopt);
  EXPECT_EQ(http::percent_decode("%"), std::nullopt);
  EXPECT_EQ(http::percent_decode("%g0"), std::nullopt);
}

}  // namespace
