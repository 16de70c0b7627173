// Goal: handlers and hooks answer conditions and ranges. Method: a Conversation with routes that
// have them.
#include <gtest/gtest.h>

#include <string>
#include <string_view>

#include "trireme/http.h"
#include "trireme/testing/conversation.h"

namespace {

namespace http = trireme::http;
using trireme::testing::Conversation;

http::Routes tagged_routes() {
  http::Routes routes;
  routes.get("/tagged",
             [](const http::Request&) { return http::text("0123456789").header("ETag", "\"1\""); });
  routes.get("/dated", [](const http::Request&) {
    return http::text("dated").header("Last-Modified", http::date_text(784'111'777));
  });
  routes.get("/plain", [](const http::Request&) { return http::text("0123456789"); });
  routes.put("/tagged", [](const http::Request& request) {
    if (auto answer = http::check_conditions(request, {.entity_tag = "\"1\""})) {
      return std::move(*answer);
    }
    return http::Response(204);
  });
  http::answer_conditions(routes);
  return routes;
}

class HttpConditional : public testing::Test {
 protected:
  std::string ask(const std::string& line, const std::string& more = "") {
    return talk_.say(line + " HTTP/1.1\r\nHost: a\r\n" + more + "\r\n");
  }
  static bool has(std::string_view text, std::string_view part) {
    return text.find(part) != std::string_view::npos;
  }

  Conversation talk_{http::serve(tagged_routes())};
};

TEST_F(HttpConditional, HandlersChangeNothingThatOthersHaveChanged) {
  const std::string length = "Content-Length: 0\r\n";
  EXPECT_TRUE(ask("PUT /tagged", length + "If-Match: \"1\"\r\n").starts_with("HTTP/1.1 204 "));
  EXPECT_TRUE(ask("PUT /tagged", length + "If-Match: \"2\"\r\n").starts_with("HTTP/1.1 412 "));
  EXPECT_TRUE(ask("PUT /tagged", length + "If-None-Match: *\r\n").starts_with("HTTP/1.1 412 "));
}

TEST_F(HttpConditional, HooksSpareWhatTheClientHas) {
  std::string told = ask("GET /tagged", "If-None-Match: W/\"1\"\r\n");
  EXPECT_TRUE(told.starts_with("HTTP/1.1 304 ")) << told;
  EXPECT_TRUE(has(told, "\r\nETag: \"1\"\r\n")) << told;
  EXPECT_FALSE(has(told, "Content-")) << told;
  told = ask("GET /dated", "If-Modified-Since: Sun, 06 Nov 1994 08:49:37 GMT\r\n");
  EXPECT_TRUE(told.starts_with("HTTP/1.1 304 ")) << told;
  EXPECT_TRUE(ask("GET /tagged", "If-Match: \"2\"\r\n").starts_with("HTTP/1.1 412 "));
  EXPECT_TRUE(ask("GET /tagged").ends_with("0123456789"));
}

TEST_F(HttpConditional, HooksCutRanges) {
  std::string told = ask("GET /plain", "Range: bytes=1-2\r\n");
  EXPECT_TRUE(told.starts_with("HTTP/1.1 206 ")) << told;
  EXPECT_TRUE(told.ends_with("\r\n\r\n12")) << told;
  EXPECT_TRUE(has(told, "\r\nContent-Range: bytes 1-2/10\r\n")) << told;
  told = ask("GET /plain", "Range: bytes=20-\r\n");
  EXPECT_TRUE(told.starts_with("HTTP/1.1 416 ")) << told;
  told = ask("GET /plain", "Range: bytes=1-2,5-6\r\n");
  EXPECT_TRUE(has(told, "multipart/byteranges")) << told;
  EXPECT_TRUE(has(ask("GET /plain"), "\r\nAccept-Ranges: bytes\r\n"));
  told = ask("HEAD /plain", "Range: bytes=1-2\r\n");
  EXPECT_TRUE(told.starts_with("HTTP/1.1 200 ")) << "ranges are for GET: " << told;
}

}  // namespace
