// Goal: what cannot work is refused before the first client, by a sentence that says what to
// change. Method: servers that do not start, and conversations that end the process.
#include <gtest/gtest.h>

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "support/client.h"
#include "support/test_server.h"
#include "support/wait.h"
#include "trireme/testing/conversation.h"
#include "trireme/trireme.h"

namespace trireme { inline namespace v0 { namespace {

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

// Changes options so that they cannot work; the sentence must hold `says`.
struct Case {
  const char* says;
  std::function<void(ServerOptions&, ListenOptions&)> change;
};

using std::chrono::nanoseconds;

const Case kCases[] = {
    {"io_workers", [](auto& server, auto&) { server.io_workers = -1; }},
    {"io_workers", [](auto& server, auto&) { server.io_workers = 1024; }},
    {"data_workers", [](auto& server, auto&) { server.data_workers = 0; }},
    {"poll_time_max", [](auto& server, auto&) { server.poll_time_max = nanoseconds(-1); }},
    {"connections_max must be at most 4194303, and is 4194304",
     [](auto& server, auto&) { server.connections_max = 4'194'304; }},
    {"buffer_bytes_max", [](auto& server, auto&) { server.buffer_bytes_max = 1; }},
    {"drain_time_max must be 0 or more, and is -1 ns",
     [](auto& server, auto&) { server.drain_time_max = nanoseconds(-1); }},
    {"linger_time_max", [](auto& server, auto&) { server.linger_time_max = nanoseconds::min(); }},
    {"stall_time", [](auto& server, auto&) { server.stall_time = nanoseconds(-1); }},
    {"handler_time_max", [](auto&, auto& listen) { listen.handler_time_max = nanoseconds(-1); }},
    {"backlog must be at least 1, and is 0", [](auto&, auto& listen) { listen.backlog = 0; }},
    {"backlog", [](auto&, auto& listen) { listen.backlog = -5; }},
    {"a pinned kind",
     [](auto&, auto& listen) {
       listen.pinned_kinds = {{15, Dispatch::kInline}};
     }},
    {"a pinned kind",
     [](auto&, auto& listen) {
       listen.pinned_kinds = {{0, Dispatch::kAdaptive}};
     }},
    {"frame_bytes_max", [](auto&, auto& listen) { listen.limits.frame_bytes_max = 0; }},
    {"body_bytes_ahead_max", [](auto&, auto& listen) { listen.limits.body_bytes_ahead_max = 0; }},
    {"stream_rate_min",
     [](auto&, auto& listen) { listen.limits.stream_rate_min = (size_t{1} << 30) + 1; }},
    {"stream_rate_time",
     [](auto&, auto& listen) { listen.limits.stream_rate_time = nanoseconds(-1); }},
    {"write_bytes_low", [](auto&, auto& listen) { listen.limits.write_bytes_high = 1; }},
    {"in_flight_max", [](auto&, auto& listen) { listen.limits.in_flight_max = 0; }},
    {"idle_time_max", [](auto&, auto& listen) { listen.limits.idle_time_max = nanoseconds(-1); }},
    {"first_byte_time_max",
     [](auto&, auto& listen) { listen.limits.first_byte_time_max = nanoseconds(-1); }},
    {"request_time_max",
     [](auto&, auto& listen) { listen.limits.request_time_max = nanoseconds(-1); }},
    {"write_time_max", [](auto&, auto& listen) { listen.limits.write_time_max = nanoseconds(-1); }},
};

Answer echo(const Request& request) { return request.own(); }

TEST(StartRefuses, OptionsThatCannotWork) {
  for (const Case& one : kCases) {
    ServerOptions options = quiet();
    ListenOptions listen;
    one.change(options, listen);
    Server server(options);
    server.listen("tcp://127.0.0.1:0", lines(), echo, listen);
    EXPECT_NE(refusal(server).find(one.says), std::string::npos) << one.says;
  }
}

TEST(StartRefuses, WhatIsNotThere) {
  {
    Server server(quiet());
    EXPECT_NE(refusal(server).find("listen()"), std::string::npos);
  }
  {
    Server server(quiet());
    server.listen("tcp://127.0.0.1:0", nullptr, echo);
    EXPECT_NE(refusal(server).find("codec"), std::string::npos);
  }
  {
    Server server(quiet());
    server.listen("tcp://127.0.0.1:0", lines(), std::function<Answer(const Request&)>());
    EXPECT_NE(refusal(server).find("handler"), std::string::npos);
  }
  {
    Server server(quiet());
    server.listen("tcp://127.0.0.1:0", lines(), static_cast<Answer (*)(const Request&)>(nullptr));
    EXPECT_NE(refusal(server).find("handler"), std::string::npos);
  }
  {
    ServerOptions options = quiet();
    options.driver = std::shared_ptr<const DriverFactory>();
    Server server(options);
    server.listen("tcp://127.0.0.1:0", lines(), echo);
    EXPECT_NE(refusal(server).find("the driver is a null pointer"), std::string::npos);
  }
  EXPECT_DEATH(testing::Conversation(nullptr, echo), "codec");
}

TEST(StartRefuses, ListenAfterStart) {
  Server server(quiet());
  server.listen("tcp://127.0.0.1:0", lines(), echo);
  ASSERT_TRUE(server.start().ok());
  server.drain();  // no threads where the test forks
  EXPECT_DEATH(server.listen("tcp://127.0.0.1:0", lines(), echo), "come before start");
}

class LeastBudget : public support::ServerTest {};
INSTANTIATE_TEST_SUITE_P(Setups, LeastBudget, ::testing::ValuesIn(support::every_setup()),
                         support::name_of);

// What the sentence asks for is enough, and nothing less is.
TEST_P(LeastBudget, IsToldAndServes) {
  ServerOptions options = this->options();
  options.buffer_bytes_max = 1;
  std::string sentence;
  {
    Server server(options);
    server.listen("tcp://127.0.0.1:0", lines(), echo, {.accepting = GetParam().accepting});
    sentence = refusal(server);
  }
  const std::string marks = "must be at least ";
  ASSERT_NE(sentence.find(marks), std::string::npos) << sentence;
  const size_t least = std::stoul(sentence.substr(sentence.find(marks) + marks.size()));
  options.buffer_bytes_max = least - 1;
  {
    Server server(options);
    server.listen("tcp://127.0.0.1:0", lines(), echo, {.accepting = GetParam().accepting});
    EXPECT_NE(refusal(server), "");
  }
  options.buffer_bytes_max = least;
  support::TestServer server(options);
  server.listen([](const Request& request) -> Answer {
    if (request.text() == "block") support::let_pass(std::chrono::milliseconds(5));
    return request.own();
  });
  server.start();
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(support::Client(server.url()).ask("block"), "block");
    EXPECT_EQ(support::Client(server.url()).ask("quick"), "quick");
  }
}

// It cannot be known at the start, and costs the one connection.
TEST(ThenWithPipelined, CostsTheConnection) {
  const auto handler = [](const Request& request) -> Answer {
    if (request.text() == "switch") return Answer("ok").then(bytes());
    return request.own();
  };
  testing::Conversation talk(lines(), handler, {.ordering = Ordering::kPipelined});
  EXPECT_EQ(talk.say("a\nswitch\nb\n"), "a\nERR internal\n");
  EXPECT_EQ(talk.closed(), std::nullopt);  // it lingers
  talk.end();
  EXPECT_EQ(talk.closed(), CloseReason::kClosedByHandler);
}

TEST(ThenWithPipelined, TheServerGoesOnAndSaysWhy) {
  for (const Dispatch dispatch : {Dispatch::kInline, Dispatch::kWorkers, Dispatch::kAdaptive}) {
    support::TestServer server({.io_workers = 1, .dispatch = dispatch});
    server.listen(
        [](const Request& request) -> Answer {
          if (request.text() == "switch") return Answer("ok").then(bytes());
          return request.own();
        },
        {.ordering = Ordering::kPipelined, .name = "fickle"});
    server.start();
    support::Client other(server.url()), client(server.url());
    EXPECT_EQ(client.converse("switch\n", false), "ERR internal\n");
    EXPECT_EQ(other.ask("x"), "x");
    const auto says_why = [&] {
      return server.log().find("a handler of 'fickle' answers with then(codec)") !=
             std::string::npos;
    };
    EXPECT_TRUE(support::wait_until(says_why)) << server.log();
  }
}

}  // namespace
}}  // namespace trireme
