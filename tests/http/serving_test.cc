// Goal: routes answer as HTTP demands: whom they are asked by, in order, and until when; errors of
// handlers and clients have their statuses. Method: a Conversation with http::serve(), raw bytes in
// and out.
#include <gtest/gtest.h>

#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>

#include "trireme/http.h"
#include "trireme/server.h"
#include "trireme/testing/conversation.h"

namespace {

namespace tr = trireme;
namespace http = trireme::http;
using tr::testing::Conversation;

http::Routes make_routes() {
  http::Routes routes;
  routes.get("/", [](const http::Request&) { return http::text("hello, world\n"); });
  routes.get("/hello/:name", [](const http::Request& request) {
    return http::text("hello " + request.param("name") + request.query("end").value_or(""));
  });
  routes.post("/echo", [](const http::Request& request) {
    return http::text(std::string(request.body()) + std::string(request.trailer("x-sum")));
  });
  routes.post("/small", [](const http::Request&) { return http::Response(204); },
              {.body_bytes_max = 3});
  routes.post("/later", [](const http::Request&, http::Reply reply) {
    std::move(reply).send(http::text("later"));
  });
  routes.get("/throws",
             [](const http::Request&) -> http::Response { throw std::runtime_error("secret"); });
  routes.get("/injects", [](const http::Request& request) {
    return http::Response().header("X", request.query("x").value_or(""));
  });
  routes.get("/bye", [](const http::Request&) { return http::text("bye").close(); });
  routes.get("/large", [](const http::Request&) { return http::text(std::string(100'000, 'x')); });
  routes.get("/host", [](const http::Request& request) {
    return http::text(std::string(request.host()) + " " + std::string(request.path()) + " " +
                      std::string(request.cookie("a").value_or("none")));
  });
  return routes;
}

std::string request_of(std::string_view line, std::string_view more = "") {
  return std::string(line) + " HTTP/1.1\r\nHost: a\r\n" + std::string(more) + "\r\n";
}

class HttpServing : public testing::Test {
 protected:
  // The response without its Date.
  std::string say(std::string_view bytes) {
    std::string told = talk_.say(bytes);
    while (true) {
      const size_t at = told.find("Date: ");
      if (at == std::string::npos) return told;
      EXPECT_EQ(told.substr(at + 29 + 6, 2), "\r\n");
      told.erase(at, 29 + 6 + 2);
    }
  }
  std::string get(std::string_view target, std::string_view more = "") {
    return say(request_of("GET " + std::string(target), more));
  }
  static int status(std::string_view told) {
    return told.size() < 12 ? 0 : std::stoi(std::string(told.substr(9, 3)));
  }

  // The server has ended its stream: it waits for the client's end, and for nothing else.
  bool has_ended() {
    EXPECT_EQ(talk_.end(), "");
    return talk_.closed().has_value();
  }

  Conversation talk_{http::serve(make_routes())};
};

constexpr std::string_view kHello =
    "HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: 13\r\n\r\n"
    "hello, world\n";

TEST_F(HttpServing, AnswersByRoutes) {
  EXPECT_EQ(get("/"), kHello);
  EXPECT_TRUE(get("/hello/J%C3%B6rg?end=%21").ends_with("\r\n\r\nhello J\xc3\xb6rg!"));
  EXPECT_TRUE(get("/host", "Cookie: b=1; a=2\r\n").ends_with("a /host 2"));
  EXPECT_TRUE(get("http://b:80/host").ends_with("b:80 /host none"));
  EXPECT_EQ(get("http://a"), kHello);
  EXPECT_EQ(get("/large").size(), get("/large", "X: 1\r\n").size());
  EXPECT_TRUE(say(request_of("POST /later", "Content-Length: 0\r\n")).ends_with("later"));
}

TEST_F(HttpServing, HasContentByLengthAndInChunks) {
  EXPECT_TRUE(
      say(request_of("POST /echo", "Content-Length: 5\r\n") + "hello").ends_with("\r\n\r\nhello"));
  EXPECT_TRUE(say(request_of("POST /echo", "Transfer-Encoding: chunked\r\n") +
                  "3\r\nhel\r\n2\r\nlo\r\n0\r\nX-Sum: 7\r\n\r\n")
                  .ends_with("\r\n\r\nhello7"));
  std::string told;
  for (const char byte :
       request_of("POST /echo", "Transfer-Encoding: chunked\r\n") + "5\r\nhello\r\n0\r\n\r\n") {
    told += say(std::string_view(&byte, 1));
  }
  EXPECT_TRUE(told.ends_with("\r\n\r\nhello")) << told;
}

TEST_F(HttpServing, AnswersHeadAndOptionsAndWrongMethodsByItself) {
  EXPECT_EQ(say(request_of("HEAD /")), kHello.substr(0, kHello.size() - 13));
  EXPECT_EQ(say(request_of("OPTIONS /echo")),
            "HTTP/1.1 204 No Content\r\nAllow: OPTIONS, POST\r\n\r\n");
  EXPECT_EQ(status(say(request_of("OPTIONS *"))), 204);
  const std::string wrong = say(request_of("DELETE /"));
  EXPECT_EQ(status(wrong), 405);
  EXPECT_NE(wrong.find("\r\nAllow: GET, HEAD, OPTIONS\r\n"), std::string::npos);
  EXPECT_EQ(status(get("/none")), 404);
  EXPECT_EQ(status(get("/hello/%2e%2e")), 400);
  EXPECT_TRUE(get("/none", "Accept: application/json\r\n")
                  .ends_with("{\"title\":\"Not Found\",\"status\":404}\n"));
  EXPECT_FALSE(talk_.closed());
}

TEST_F(HttpServing, KeepsOrderAndConnection) {
  EXPECT_EQ(say(request_of("GET /") + request_of("GET /") + request_of("GET /")),
            std::string(kHello) + std::string(kHello) + std::string(kHello));
  const std::string last = say(request_of("GET /", "Connection: close\r\n") + request_of("GET /"));
  EXPECT_EQ(status(last), 200);
  EXPECT_EQ(last.find("HTTP/1.1", 1), std::string::npos) << "nothing behind it is answered";
  EXPECT_NE(last.find("\r\nConnection: close\r\n"), std::string::npos);
  EXPECT_TRUE(has_ended());
}

TEST_F(HttpServing, EndsWithAHandlerThatSaysSo) {
  EXPECT_NE(get("/bye").find("\r\nConnection: close\r\n"), std::string::npos);
  EXPECT_TRUE(has_ended());
}

TEST_F(HttpServing, SpeaksOldHttp) {
  const std::string told = say("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
  EXPECT_NE(told.find("\r\nConnection: keep-alive\r\n"), std::string::npos);
  EXPECT_FALSE(talk_.closed());
  say("GET / HTTP/1.0\r\n\r\n");
  EXPECT_TRUE(has_ended());
}

TEST_F(HttpServing, TellsAClientThatWaitsToGoOn) {
  EXPECT_EQ(say(request_of("POST /echo", "Expect: 100-continue\r\nContent-Length: 5\r\n")),
            "HTTP/1.1 100 Continue\r\n\r\n");
  EXPECT_TRUE(say("hello").ends_with("\r\n\r\nhello"));
  EXPECT_EQ(status(say(request_of("POST /small", "Expect: 100-continue\r\nContent-Length: 4\r\n"))),
            413);
}

TEST_F(HttpServing, RefusesAndEnds) {
  const std::string told = say("BROKEN\r\n\r\n" + request_of("GET /"));
  EXPECT_EQ(status(told), 400);
  EXPECT_EQ(told.find("HTTP/1.1", 1), std::string::npos);
  EXPECT_NE(told.find("\r\nConnection: close\r\n"), std::string::npos);
  EXPECT_TRUE(has_ended());
}

// An error is framed for its own request.
TEST_F(HttpServing, RefusesBehindAHeadWithABody) {
  EXPECT_EQ(status(say(request_of("HEAD /"))), 200);
  EXPECT_TRUE(say("GET / HTTP/1.1\r\n\r\n").ends_with("\n"));
}

TEST_F(HttpServing, KnowsAsteriskAsNoPath) {
  http::Routes routes;
  routes.on("OPTIONS", "/", [](const http::Request&) { return http::text("of the root"); });
  Conversation talk(http::serve(std::move(routes)));
  EXPECT_EQ(talk.say(request_of("OPTIONS *")).find("of the root"), std::string::npos);
  EXPECT_TRUE(talk.say(request_of("OPTIONS /")).ends_with("of the root"));
  EXPECT_THROW(http::Routes().on("FROB", "/", [](const http::Request&) { return http::text(""); }),
               std::invalid_argument);
  EXPECT_THROW(
      http::Routes().on("CONNECT", "/", [](const http::Request&) { return http::text(""); }),
      std::invalid_argument);
}

TEST_F(HttpServing, LimitsContentByRoute) {
  EXPECT_EQ(status(say(request_of("POST /small", "Content-Length: 3\r\n") + "abc")), 204);
  EXPECT_EQ(status(say(request_of("POST /small", "Content-Length: 4\r\n") + "abcd")), 413);
  EXPECT_TRUE(has_ended());
}

TEST_F(HttpServing, WaitsForNothingThatNobodyReads) {
  EXPECT_EQ(status(say(request_of("POST /none", "Content-Length: 5\r\n") + "hello")), 404);
  const std::string told = say(request_of("POST /none", "Content-Length: 500000\r\n"));
  EXPECT_EQ(status(told), 404);
  EXPECT_NE(told.find("\r\nConnection: close\r\n"), std::string::npos);
  EXPECT_TRUE(has_ended());
}

TEST_F(HttpServing, RefusesALineWithoutVersionAtOnce) {
  EXPECT_EQ(status(say("GET /\r\n")), 400);
  EXPECT_TRUE(has_ended());
}

TEST_F(HttpServing, TellsNothingOfWhatAHandlerThrows) {
  const std::string told = get("/throws");
  EXPECT_EQ(status(told), 500);
  EXPECT_EQ(told.find("secret"), std::string::npos);
  EXPECT_FALSE(talk_.closed());
  const std::string injected = get("/injects?x=1%0d%0aSet-Cookie:%20a=b");
  EXPECT_EQ(status(injected), 500);
  EXPECT_EQ(injected.find("Set-Cookie"), std::string::npos);
  EXPECT_EQ(status(say(request_of("HEAD /throws"))), 500);
  EXPECT_EQ(get("/"), kHello) << "in step behind a HEAD";
}

TEST_F(HttpServing, AnswersAClientThatEndsItsStream) {
  const std::string told = talk_.say(request_of("GET /"));
  EXPECT_EQ(status(told + talk_.end()), 200);
  EXPECT_TRUE(talk_.closed());
}

TEST(HttpServingHooks, RunBeforeAndAfterHandlers) {
  http::Routes inner;
  inner.get("/x", [](const http::Request&) { return http::text("inner"); });
  inner.after([](const http::Request&, http::Response& response) { response.header("X-In", "1"); });
  http::Routes routes;
  routes.get("/", [](const http::Request&) { return http::text("outer"); });
  routes.mount("/in", std::move(inner));
  routes.before([](const http::Request& request) -> std::optional<http::Response> {
    if (request.has_header("x-stop")) return http::problem(401);
    return std::nullopt;
  });
  routes.after(
      [](const http::Request&, http::Response& response) { response.header("X-Out", "1"); });
  Conversation talk(http::serve(std::move(routes)));
  std::string told = talk.say(request_of("GET /in/x"));
  EXPECT_NE(told.find("X-In: 1\r\nX-Out: 1\r\n"), std::string::npos) << told;
  told = talk.say(request_of("GET /"));
  EXPECT_EQ(told.find("X-In"), std::string::npos) << told;
  told = talk.say(request_of("GET /", "X-Stop:\r\n"));
  EXPECT_TRUE(told.starts_with("HTTP/1.1 401 Unauthorized")) << told;
  EXPECT_NE(told.find("X-Out: 1\r\n"), std::string::npos) << "of what no handler has made, too";
}

// Whoever may call a route may not by writing its prefix otherwise.
TEST(HttpServingHooks, OfMountedRoutesRunForWhateverTheyServe) {
  const auto guarded = [](const char* pattern) {
    http::Routes inner;
    inner.get(pattern, [](const http::Request&) { return http::text("secret"); });
    inner.before(
        [](const http::Request&) -> std::optional<http::Response> { return http::problem(401); });
    return inner;
  };
  http::Routes routes;
  routes.mount("/in", guarded("/x"));
  routes.mount("/rest", guarded("/*r"));
  routes.mount("/t/:tenant", guarded("/x"));
  routes.get("/other", [](const http::Request&) { return http::text("open"); });
  Conversation talk(http::serve(std::move(routes)));
  for (const char* target :
       {"/in/x", "/%69n/x", "/in/none", "/in", "/rest", "/rest/a", "/%72est", "/t/a/x", "/t/a"}) {
    const std::string told = talk.say(request_of("GET " + std::string(target)));
    EXPECT_TRUE(told.starts_with("HTTP/1.1 401 ")) << target << told;
  }
  for (const char* target : {"/other", "/inn", "/t"}) {
    const std::string told = talk.say(request_of("GET " + std::string(target)));
    EXPECT_FALSE(told.starts_with("HTTP/1.1 401 ")) << target;
  }
}

TEST(HttpServingOptions, AreRefusedWhereAHeadHasNoRoomForThem) {
  for (const http::ServeOptions& options : {http::ServeOptions{.line_bytes_max = 65'536},
                                            http::ServeOptions{.head_bytes_max = 65'536}}) {
    tr::Server server;
    server.listen("tcp://127.0.0.1:0", http::serve(make_routes(), options));
    const auto started = server.start();
    ASSERT_FALSE(started.ok());
    EXPECT_NE(started.error().message.find("ServeOptions"), std::string::npos);
  }
}

TEST(HttpServingClocks, AnswerARequestThatIsTooSlow) {
  tr::ListenOptions options;
  options.limits.request_time_max = std::chrono::seconds(5);
  Conversation talk(http::serve(make_routes()), options);
  EXPECT_EQ(talk.say("GET / HTTP/1.1\r\nHo"), "");
  const std::string told = talk.advance(std::chrono::seconds(6));
  EXPECT_TRUE(told.starts_with("HTTP/1.1 408 Request Timeout\r\n")) << told;
  talk.end();
  EXPECT_TRUE(talk.closed());
}

TEST(HttpServingClocks, RunOverAllChunksOfARequest) {
  tr::ListenOptions options;
  options.limits.request_time_max = std::chrono::seconds(5);
  Conversation talk(http::serve(make_routes()), options);
  EXPECT_EQ(talk.say("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"), "");
  EXPECT_EQ(talk.advance(std::chrono::seconds(2)), "");
  EXPECT_EQ(talk.say("1\r\na"), "");
  EXPECT_EQ(talk.advance(std::chrono::seconds(2)), "");
  EXPECT_EQ(talk.say("\r\n1\r\nb"), "");
  const std::string told = talk.advance(std::chrono::seconds(2));
  EXPECT_TRUE(told.starts_with("HTTP/1.1 408 Request Timeout\r\n")) << told;
}

TEST(HttpServingClocks, EndAnIdleConnectionWithoutAWord) {
  tr::ListenOptions options;
  options.limits.idle_time_max = std::chrono::seconds(5);
  Conversation talk(http::serve(make_routes()), options);
  EXPECT_NE(talk.say(request_of("GET /")), "");
  EXPECT_EQ(talk.advance(std::chrono::seconds(6)), "");
  talk.end();
  EXPECT_TRUE(talk.closed());
}

}  // namespace
