// Goal: the requests of a stream are the same ones wherever it is cut, their content is whole, and
// what is wrong is refused with its status. Method: streams in one piece, byte by byte, and cut at
// every place; the limits one by one.
#include "http/message/message_reader.h"

#include <gtest/gtest.h>

#include <string>
#include <string_view>

#include "messages.h"

namespace {

namespace http = trireme::http;
using http_tests::read_all;
using http_tests::read_whole;
using namespace std::string_literals;

const std::string kHead = "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
const std::string kGet = "GET /?canary HTTP/1.1\r\nHost: a\r\n\r\n";

// What the content is, without its head.
std::string content_of(std::string chunks) {
  std::string told = read_whole(kHead + chunks);
  const size_t head = told.find("\r\n\r\n");
  return told[0] == '!' || head == std::string::npos ? told : told.substr(head + 4);
}

TEST(HttpMessages, AreTheSameWhereverTheStreamIsCut) {
  const std::string stream =
      "\r\nGET /a?b HTTP/1.1\r\nHost: a\r\nX-Note: \t one two \r\n\r\n"
      "POST /b HTTP/1.1\r\nHost: a\r\nContent-Length: 11\r\n\r\nhello world\r\n" +
      kHead +
      "5;a=\"b;\\\"c\" ; d = e\r\nhello\r\n06\r\n world\r\n0;z\r\nX-Sum: 1\r\nY: 2\r\n\r\n" +
      "GET http://a/c HTTP/1.0\r\nConnection: keep-alive\r\n\r\n" + kGet + "BROKEN\r\n\r\n" + kGet;
  const std::string whole = read_whole(stream);
  EXPECT_NE(whole.find("hello world"), std::string::npos) << whole;
  EXPECT_NE(whole.find("hello worldX-Sum: 1\r\nY: 2\r\n"), std::string::npos) << whole;
  EXPECT_NE(whole.find("!400"), std::string::npos) << whole;
  EXPECT_EQ(read_all(stream, {}, [] { return 1; }), whole);
  for (size_t cut = 1; cut < stream.size(); ++cut) {
    bool first = true;
    const auto piece = [&] { return std::exchange(first, false) ? cut : stream.size(); };
    ASSERT_EQ(read_all(stream, {}, piece), whole) << "cut at " << cut;
  }
}

TEST(HttpMessages, HaveChunksOfEveryValidForm) {
  EXPECT_EQ(content_of("5\r\nhello\r\n0\r\n\r\n"), "hello\n");
  EXPECT_EQ(content_of("0\r\n\r\n"), "\n");
  EXPECT_EQ(content_of("A\r\n0123456789\r\n0\r\n\r\n"), "0123456789\n");
  EXPECT_EQ(content_of("0005\r\nhello\r\n00\r\n\r\n"), "hello\n");
  EXPECT_EQ(content_of("5;a=b\r\nhello\r\n0\r\n\r\n"), "hello\n");
  EXPECT_EQ(content_of("5;a\r\nhello\r\n0;z\r\n\r\n"), "hello\n");
  EXPECT_EQ(content_of("5 ; a = b\r\nhello\r\n0\r\n\r\n"), "hello\n");
  EXPECT_EQ(content_of("e\r\n\r\n0\r\n\r\nGET /\r\n\r\n0\r\n\r\n"), "\r\n0\r\n\r\nGET /\r\n\n");
  EXPECT_EQ(content_of("5\r\nhello\r\n0\r\nX-Sum: 1\r\n\r\n"), "helloX-Sum: 1\r\n\n");
}

TEST(HttpMessages, HaveNoChunksOfOtherForms) {
  using namespace std::string_literals;
  for (const std::string& chunks : {"0x5\r\nhello\r\n"s,
                                    "-5\r\nhello\r\n"s,
                                    "0_5\r\nhello\r\n"s,
                                    "5.0\r\nhello\r\n"s,
                                    "g\r\nhello\r\n"s,
                                    "5h\r\nhello\r\n"s,
                                    "5,5\r\nhello\r\n"s,
                                    "\"5\"\r\nhello\r\n"s,
                                    "\r\nhello\r\n"s,
                                    ";a=b\r\nhello\r\n"s,
                                    " 5\r\nhello\r\n"s,
                                    "5 \r\nhello\r\n"s,
                                    "5\t\r\nhello\r\n"s,
                                    "5 x\r\nhello\r\n"s,
                                    "5\0\r\nhello\r\n"s,
                                    "5\x0b\r\nhello\r\n"s,
                                    "5;\r\nhello\r\n"s,
                                    "5;a b\r\nhello\r\n"s,
                                    "5;[a]=b\r\nhello\r\n"s,
                                    "5;a\rb\r\nhello\r\n"s,
                                    "5;a=\r\nhello\r\n"s,
                                    "5;a=\"b\r\nhello\r\n"s,
                                    "5\nhello\r\n"s,
                                    "5\rhello\r\n"s,
                                    "5;a\nhello\r\n"s,
                                    "5;a=\"\n\"\r\nhello\r\n"s,
                                    "5\r\nhello\r0\r\n\r\n"s,
                                    "5\r\nhello\n0\r\n\r\n"s,
                                    "5\r\nhello0\r\n\r\n"s,
                                    "5\r\nhelloXX\r\n0\r\n\r\n"s,
                                    "5\r\nhello\r\n0\r\nXXGET"s,
                                    "0..\r\n\r\n"s,
                                    "0\r\n: 1\r\n\r\n"s,
                                    "0\r\nX : 1\r\n\r\n"s,
                                    "0\r\nX: a\0b\r\n\r\n"s,
                                    "0\r\nX: a\rb\r\n\r\n"s,
                                    "0\r\nX: 1\n\r\n"s,
                                    "0\r\nX: 1\r\n 2\r\n\r\n"s,
                                    "0\r\nGET / HTTP/1.1\r\n\r\n"s,
                                    "0\r\nX\0: 1\r\n\r\n"s,
                                    "0\r\n\n"s,
                                    "0\r\n\rX"s}) {
    EXPECT_EQ(content_of(chunks + kGet).substr(0, 4), "!400") << chunks;
  }
}

TEST(HttpMessages, AreNeverLongerThanTheyMayBe) {
  http::MessageLimits limits;
  limits.content_bytes_max = 10;
  const auto status = [&](std::string stream) { return read_whole(stream, limits).substr(0, 4); };
  const std::string post = "POST / HTTP/1.1\r\nHost: a\r\n";
  EXPECT_EQ(status(post + "Content-Length: 11\r\n\r\n"), "!413");
  EXPECT_EQ(status(post + "Content-Length: 9223372036854775807\r\n\r\n"), "!413");
  EXPECT_EQ(status(kHead + "b\r\n"), "!413");
  EXPECT_EQ(status(kHead + "5\r\nhello\r\n6\r\n"), "!413");
  EXPECT_EQ(status(kHead + "10000000000000005\r\n"), "!413") << "17 digits";
  EXPECT_EQ(status(kHead + "ffffffffffffffff\r\n"), "!413");
  EXPECT_EQ(status(kHead + std::string(100, '0') + "1\r\n"), "!400");
  EXPECT_EQ(read_whole(kHead + "a\r\n0123456789\r\n0\r\n\r\n", limits)[0], '2');
  EXPECT_EQ(status(kHead + "1;x=" + std::string(20'000, 'x')), "!400");
  EXPECT_EQ(status(kHead + "0\r\nX: " + std::string(9'000, 'x')), "!431");
  std::string empty_lines;
  for (int i = 0; i < 8; ++i) empty_lines += "\r\n";
  EXPECT_EQ(status(empty_lines + kGet)[0], '0');
  EXPECT_EQ(status(empty_lines + "\r\n" + kGet), "nobo");
}

TEST(HttpMessages, TellThatTheClientWaits) {
  for (const std::string& framing : {"Content-Length: 5"s, "Transfer-Encoding: chunked"s}) {
    http::MessageReader reader;
    std::string input =
        "POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n" + framing + "\r\n\r\n";
    const auto read = [&] {
      auto found = reader.read({input.data(), input.size()}, {});
      input.erase(0, found.consumed);
      return found;
    };
    EXPECT_TRUE(read().wants_continue);
    EXPECT_TRUE(reader.in_message());
    EXPECT_FALSE(read().wants_continue) << "once";
    input += framing[0] == 'C' ? "hello" : "5\r\nhello\r\n0\r\n\r\n";
    const auto found = read();
    EXPECT_EQ(found.kind, http::MessageReader::Kind::kMessage);
    EXPECT_FALSE(found.wants_continue);
    EXPECT_FALSE(reader.in_message());
    EXPECT_EQ(reader.bytes_held(), 0u);
  }
}

TEST(HttpMessages, KeepWhatChunksHoldAndNothingElse) {
  http::MessageReader reader;
  std::string input = kHead;
  for (int i = 0; i < 1000; ++i) input += "1;extension=x\r\ny\r\n";
  const auto found = reader.read({input.data(), input.size()}, {});
  EXPECT_EQ(found.kind, http::MessageReader::Kind::kPart);
  EXPECT_EQ(found.consumed, input.size());
  EXPECT_EQ(reader.bytes_held(), kHead.size() + 1000);
}

// Refuses DELETE, and lets POST have three bytes.
struct Judge final : http::HeadJudge {
  http::Refusal judge(std::string_view head, const http::MessageFacts& facts,
                      uint64_t& content_bytes_max) override {
    told = head;
    if (facts.method == http::Method::kPost) content_bytes_max = 3;
    if (facts.method == http::Method::kDelete) return {405, "no"};
    return {};
  }
  std::string told{};
};

TEST(HttpMessages, AreJudgedByTheirHeads) {
  const auto read = [](std::string input) {
    http::MessageReader reader;
    Judge judge;
    const auto found = reader.read({input.data(), input.size()}, {}, &judge);
    EXPECT_TRUE(input.starts_with(judge.told) && judge.told.ends_with("\r\n\r\n"));
    return found.refusal.status;
  };
  EXPECT_EQ(read("DELETE / HTTP/1.1\r\nHost: a\r\n\r\n"), 405);
  EXPECT_EQ(read("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\n"), 413);
  EXPECT_EQ(read("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\n"), 0);
  EXPECT_EQ(read(kHead + "4\r\n"), 413);
  EXPECT_EQ(read("PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\n"), 0);
}

TEST(HttpMessages, TellWhichRequestWasRefused) {
  http::MessageReader reader;
  std::string input = "HEAD / HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999\r\n\r\n";
  auto found = reader.read({input.data(), input.size()}, {});
  EXPECT_EQ(found.refusal.status, 413);
  EXPECT_EQ(found.facts.method, http::Method::kHead);
  http::MessageReader other;
  input = "BROKEN\r\n\r\n";
  found = other.read({input.data(), input.size()}, {});
  EXPECT_EQ(found.facts.head_bytes, 0);
}

}  // namespace
