// Goal: what cannot work is refused before the first client, by a sentence that says what to
// change. Method: servers that do not start, and conversations that end the process.
#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "trireme/testing/conversation.h"
#include "trireme/trireme.h"

namespace trireme::inline v0 {
namespace {

struct Plain {
  Answer on_request(const Request& request) { return request.own(); }
};
struct Concurrent : Plain {
  static constexpr bool concurrent = true;
};
struct NotConcurrent : Plain {
  static constexpr bool concurrent = false;
};

ServerOptions quiet() {
  return {.io_workers = 1, .log = [](LogLevel, std::string_view) {}};
}

// Empty: it has started.
std::string refusal(Server& server) {
  const Result<Done> started = server.start();
  if (started.ok()) return "";
  EXPECT_EQ(started.error().code, Error::Code::kUsage) << started.error().message;
  return started.error().message;
}

template <class S>
std::string refusal_of_session(ListenOptions options) {
  Server server(quiet());
  server.serve<S>("tcp://127.0.0.1:0", lines(), options);
  return refusal(server);
}

TEST(StartRefuses, APipelinedSessionThatIsNotConcurrent) {
  const ListenOptions pipelined{.ordering = Ordering::kPipelined};
  EXPECT_NE(refusal_of_session<Plain>(pipelined).find("concurrent"), std::string::npos);
  EXPECT_NE(refusal_of_session<NotConcurrent>(pipelined).find("concurrent"), std::string::npos);
  EXPECT_EQ(refusal_of_session<Concurrent>(pipelined), "");
  EXPECT_EQ(refusal_of_session<Plain>({}), "");
}

TEST(StartRefuses, ThePipelinedSessionAtAnyOfItsPlaces) {
  Server server(quiet());
  server.serve<Concurrent>("tcp://127.0.0.1:0", lines(), {.ordering = Ordering::kPipelined});
  server.serve<Plain>("tcp://127.0.0.1:0", lines(), {});
  server.serve<Plain>("tcp://127.0.0.1:0", lines(), {.ordering = Ordering::kPipelined});
  EXPECT_EQ(server.run(), 2);
}

TEST(StartRefuses, ThePipelinedSessionInAConversation) {
  const ListenOptions pipelined{.ordering = Ordering::kPipelined};
  EXPECT_EQ(testing::Conversation::with<Concurrent>(lines(), pipelined)->say("a\n"), "a\n");
  EXPECT_DEATH(testing::Conversation::with<Plain>(lines(), pipelined), "concurrent");
}

}  // namespace
}  // namespace trireme
