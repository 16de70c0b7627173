// Goal: a response leaves as RFC 9112 frames it for its request, and nothing that a handler gives
// can break its head. Method: responses as text.
#include "trireme/http/response.h"

#include <gtest/gtest.h>

#include <stdexcept>
#include <string>
#include <string_view>

#include "http/message/serialize.h"

namespace {

namespace http = trireme::http;
using http::Response;

std::string sent(Response response, http::ReplyFraming framing = {}) {
  static http::DateCache dates;
  return http::serialize(std::move(response), framing, dates, 784'111'777);
}

TEST(HttpResponse, HasDateTypeAndLength) {
  EXPECT_EQ(sent(http::text("hello")),
            "HTTP/1.1 200 OK\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\n"
            "Content-Type: text/plain; charset=utf-8\r\nContent-Length: 5\r\n\r\nhello");
  EXPECT_EQ(sent(http::json(std::string("{}")).status(201).header("Location", "/7")),
            "HTTP/1.1 201 Created\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\n"
            "Content-Type: application/json\r\nContent-Length: 2\r\nLocation: /7\r\n\r\n{}");
}

TEST(HttpResponse, IsFramedForItsRequest) {
  http::MessageFacts facts;
  facts.method = http::Method::kHead;
  facts.flags = http::MessageFacts::kKeepAlive;
  std::string head = sent(http::text("hello"), http::ReplyFraming::of(facts));
  EXPECT_TRUE(head.ends_with("Content-Length: 5\r\n\r\n")) << "HEAD has no body";
  facts = {};
  EXPECT_NE(sent(http::text("x"), http::ReplyFraming::of(facts)).find("\r\nConnection: close\r\n"),
            std::string::npos);
  facts.flags = http::MessageFacts::kVersion10 | http::MessageFacts::kKeepAlive;
  EXPECT_NE(
      sent(http::text("x"), http::ReplyFraming::of(facts)).find("\r\nConnection: keep-alive\r\n"),
      std::string::npos);
  for (const int status : {204, 304}) {
    const std::string none = sent(http::text("x").status(status));
    EXPECT_EQ(none.find("Content-Length"), std::string::npos);
    EXPECT_TRUE(none.ends_with("\r\n\r\n"));
  }
}

TEST(HttpResponse, OwnsWhatIsNoLiteral) {
  char own[8] = "ab";
  for (const Response& response : {http::text(own), http::html(own), http::json(own)}) {
    EXPECT_EQ(response.body(), "ab");
    EXPECT_TRUE(response.owns_body());
  }
  EXPECT_FALSE(http::text("ab").owns_body());
}

TEST(HttpResponse, HasNoBodyWhereItsStatusHasNone) {
  EXPECT_TRUE(sent(http::text("x").status(205)).ends_with("Content-Length: 0\r\n\r\n"));
}

TEST(HttpResponse, RefusesWhatWouldBreakItsHead) {
  using namespace std::string_literals;
  for (const std::string& value : {"a\r\nb"s, "a\rb"s, "a\nb"s, "a\0b"s, "a\x01"s, "a\x7f"s}) {
    EXPECT_THROW(Response().header("X", value), std::invalid_argument);
    EXPECT_THROW(http::redirect("/" + value), std::invalid_argument);
    EXPECT_THROW(Response().cookie({.name = "a", .value = value}), std::invalid_argument);
  }
  for (const char* name :
       {"", "a b", "a:", "a\r\n", "Content-Length", "transfer-encoding", "Connection", "Date"}) {
    EXPECT_THROW(Response().header(name, "1"), std::invalid_argument) << name;
  }
  EXPECT_THROW(Response(99), std::invalid_argument);
  EXPECT_THROW(Response(101), std::invalid_argument);
  EXPECT_THROW(Response(600), std::invalid_argument);
  EXPECT_THROW(http::redirect("/", 200), std::invalid_argument);
  EXPECT_THROW(Response().cookie({.name = "a", .value = "b;c"}), std::invalid_argument);
  EXPECT_THROW(Response().cookie({.name = "a", .path = "/;x"}), std::invalid_argument);
  EXPECT_THROW(Response().cookie({.name = "a", .same_site = http::Cookie::SameSite::kNone}),
               std::invalid_argument);
}

TEST(HttpResponse, KeepsWhatItIsGiven) {
  Response response = http::html(std::string(100, 'x')).header("X-One", " 1 ").header("X-Two", "2");
  response.header("Content-Type", "text/plain").close();
  EXPECT_EQ(response.header("x-one"), "1");
  EXPECT_EQ(response.content_type(), "text/plain");
  EXPECT_EQ(response.body().size(), 100u);
  EXPECT_TRUE(response.closes());
  const Response moved = std::move(response);
  EXPECT_EQ(moved.content_type(), "text/plain");
  EXPECT_EQ(moved.header("X-Two"), "2");
  EXPECT_EQ(
      Response()
          .cookie({.name = "a", .value = "b", .max_age = std::chrono::seconds(9), .secure = true})
          .header("set-cookie"),
      "a=b; Path=/; Max-Age=9; Secure; HttpOnly; SameSite=Lax");
}

TEST(HttpResponse, TellsOfProblemsAsJson) {
  using namespace std::string_literals;
  const Response problem = http::problem(404, "no \"thing\"\n\x01\\");
  EXPECT_EQ(problem.content_type(), "application/problem+json");
  EXPECT_EQ(problem.body(),
            "{\"title\":\"Not Found\",\"status\":404,\"detail\":\"no \\\"thing\\\"\\u000a\\u0001"
            "\\\\\"}\n");
  EXPECT_EQ(http::status_words(418), "Client Error");
  EXPECT_EQ(http::status_words(505), "HTTP Version Not Supported");
}

}  // namespace
