// Goal: the hooks do what their standards say, and nothing of a client breaks a log. Method: a
// Conversation with routes that have them.
#include "trireme/http/middleware.h"

#include <gtest/gtest.h>
#include <zlib.h>

#include <exception>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "trireme/http.h"
#include "trireme/testing/conversation.h"

namespace {

namespace http = trireme::http;
using trireme::testing::Conversation;

bool has(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

std::string ask(std::string_view line, std::string_view more = "") {
  return std::string(line) + " HTTP/1.1\r\nHost: a\r\n" + std::string(more) + "\r\n";
}

// A session that says nothing.
struct Quiet {
  explicit Quiet(http::WebSocket) {}
};

http::Routes two_routes() {
  http::Routes routes;
  routes.get("/short", [](const http::Request&) { return http::text("short"); });
  routes.get("/long", [](const http::Request&) { return http::text(std::string(5000, 'x')); });
  routes.get("/tagged", [](const http::Request&) {
    return http::text(std::string(5000, 'x')).header("ETag", "\"1\"");
  });
  routes.get("/picture", [](const http::Request&) {
    return http::Response().header("Content-Type", "image/png").body(std::string(5000, 'x'));
  });
  return routes;
}

TEST(HttpAccessLog, HasALineForEachResponse) {
  std::vector<std::string> lines;
  http::Routes routes = two_routes();
  http::log_access(routes, [&](std::string_view line) { lines.emplace_back(line); });
  Conversation talk(http::serve(std::move(routes)));
  talk.say(ask("GET /short?a=b", "User-Agent: x\"y\xff\r\nReferer: http://b/\r\n") +
           ask("POST /none"));
  ASSERT_EQ(lines.size(), 2u);
  EXPECT_TRUE(has(lines[0], "] \"GET /short?a=b HTTP/1.1\" 200 5 \"http://b/\" \"x\\\"y\\xff\""))
      << lines[0];
  EXPECT_TRUE(has(lines[1], "] \"POST /none HTTP/1.1\" 404 14 \"-\" \"-\"")) << lines[1];
}

TEST(HttpAccessLog, IsJsonWhateverClientsSend) {
  std::vector<std::string> lines;
  http::Routes routes = two_routes();
  http::log_access(
      routes, [&](std::string_view line) { lines.emplace_back(line); }, http::LogFormat::kJson);
  Conversation talk(http::serve(std::move(routes)));
  talk.say(ask("GET /short", "User-Agent: x\"\\\xff\r\n"));
  ASSERT_EQ(lines.size(), 1u);
  EXPECT_TRUE(has(lines[0],
                  "\"method\":\"GET\",\"target\":\"/short\",\"host\":\"a\",\"status\":200,"
                  "\"bytes\":5,\"agent\":\"x\\\"\\\\\\ufffd\"}"))
      << lines[0];
}

TEST(HttpAccessLog, HasALineForWhateverBecomesOfARequest) {
  std::vector<std::string> lines;
  std::optional<http::Reply> kept;
  http::Routes routes;
  routes.get("/later", [&](const http::Request&, http::Reply reply) { kept = std::move(reply); });
  routes.get("/throws", [](const http::Request&) -> http::Response { throw std::exception(); });
  routes.get("/events", [](http::EventStream) {});
  routes.websocket<Quiet>("/ws", {});
  http::log_access(routes, [&](std::string_view line) { lines.emplace_back(line); });
  const auto last = [&] { return lines.empty() ? std::string() : lines.back(); };
  Conversation talk(http::serve(std::move(routes)));
  talk.say(ask("GET /later", "User-Agent: x\r\n"));
  EXPECT_TRUE(lines.empty());
  std::move(*kept).send(http::text("abc"));
  EXPECT_TRUE(talk.hear().ends_with("abc"));
  EXPECT_TRUE(has(last(), "\"GET /later HTTP/1.1\" 200 3 \"-\" \"x\"")) << last();
  talk.say(ask("GET /throws"));
  EXPECT_TRUE(has(last(), "\"GET /throws HTTP/1.1\" 500 ")) << last();
  EXPECT_EQ(lines.size(), 2u);
  talk.say(ask("GET /ws",
               "Upgrade: websocket\r\nConnection: Upgrade\r\n"
               "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
               "Sec-WebSocket-Version: 13\r\n"));
  EXPECT_TRUE(has(last(), "\"GET /ws HTTP/1.1\" 101 ")) << last();
  EXPECT_EQ(lines.size(), 3u);
}

TEST(HttpHooks, ThatThrowBehindAKeptReplyMakeItA500) {
  std::optional<http::Reply> kept;
  http::Routes routes;
  routes.get("/later", [&](const http::Request&, http::Reply reply) { kept = std::move(reply); });
  routes.after([](const http::Request&, http::Response&) { throw std::runtime_error("secret"); });
  Conversation talk(http::serve(std::move(routes)));
  talk.say(ask("GET /later"));
  std::move(*kept).send(http::text("abc"));
  const std::string told = talk.hear();
  EXPECT_TRUE(told.starts_with("HTTP/1.1 500 ")) << told;
  EXPECT_FALSE(has(told, "secret")) << told;
}

TEST(HttpCors, MarksStreamsOfEvents) {
  http::Routes routes;
  routes.get("/events", [](http::EventStream) {});
  http::allow_origins(routes, {.origins = {"https://a.example"}});
  Conversation talk(http::serve(std::move(routes)));
  const std::string told = talk.say(ask("GET /events", "Origin: https://a.example\r\n"));
  EXPECT_TRUE(has(told, "\r\nAccess-Control-Allow-Origin: https://a.example\r\n")) << told;
  EXPECT_TRUE(has(told, "\r\nTransfer-Encoding: chunked\r\n")) << told;
}

TEST(HttpCors, AnswersPreflightsAndMarksResponses) {
  http::Routes routes = two_routes();
  http::allow_origins(routes, {.origins = {"https://a.example"}, .request_headers = {"X-One"}});
  Conversation talk(http::serve(std::move(routes)));
  std::string told = talk.say(ask("OPTIONS /short",
                                  "Origin: https://a.example\r\n"
                                  "Access-Control-Request-Method: PUT\r\n"));
  EXPECT_TRUE(told.starts_with("HTTP/1.1 204 ")) << told;
  EXPECT_TRUE(has(told, "Access-Control-Allow-Origin: https://a.example\r\n")) << told;
  EXPECT_TRUE(has(told, "Access-Control-Allow-Methods: GET, HEAD, POST\r\n")) << told;
  EXPECT_TRUE(has(told, "Access-Control-Allow-Headers: X-One\r\n")) << told;
  told = talk.say(ask("GET /short", "Origin: https://a.example\r\n"));
  EXPECT_TRUE(has(told, "Access-Control-Allow-Origin: https://a.example\r\n")) << told;
  EXPECT_TRUE(has(told, "Vary: Origin\r\n")) << told;
  told = talk.say(ask("GET /short", "Origin: https://b.example\r\n"));
  EXPECT_FALSE(has(told, "Access-Control")) << told;
  told = talk.say(ask("GET /short"));
  EXPECT_TRUE(has(told, "Vary: Origin\r\n")) << "a cache must know";
  http::Routes open = two_routes();
  EXPECT_THROW(http::allow_origins(open, {.origins = {"*"}, .credentials = true}),
               std::invalid_argument);
}

std::string gunzip(std::string_view text) {
  z_stream stream{};
  inflateInit2(&stream, 31);
  std::string made(100'000, '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
  stream.avail_in = static_cast<uInt>(text.size());
  stream.next_out = reinterpret_cast<Bytef*>(made.data());
  stream.avail_out = static_cast<uInt>(made.size());
  EXPECT_EQ(inflate(&stream, Z_FINISH), Z_STREAM_END);
  made.resize(made.size() - stream.avail_out);
  inflateEnd(&stream);
  return made;
}

TEST(HttpGzip, CompressesWhatIsWorthIt) {
  http::Routes routes = two_routes();
  http::compress_responses(routes);
  Conversation talk(http::serve(std::move(routes)));
  const auto get = [&](std::string path, std::string accepted) {
    return talk.say(ask("GET " + path, "Accept-Encoding: " + accepted + "\r\n"));
  };
  const std::string told = get("/long", "br, gzip");
  EXPECT_TRUE(has(told, "Content-Encoding: gzip\r\n"));
  EXPECT_TRUE(has(told, "Vary: Accept-Encoding\r\n"));
  EXPECT_EQ(gunzip(told.substr(told.find("\r\n\r\n") + 4)), std::string(5000, 'x'));
  EXPECT_TRUE(has(get("/long", "gzip;q=0"), "Vary: Accept-Encoding\r\n"));
  for (const char* path : {"/short", "/tagged", "/picture"}) {
    EXPECT_FALSE(has(get(path, "gzip"), "Content-Encoding")) << path;
  }
  EXPECT_FALSE(has(get("/long", "gzip;q=0"), "Content-Encoding"));
}

}  // namespace
