// Goal: whoever sends to a WebSocket while its session is still made, what is sent comes behind the
// handshake; and a handshake that comes too late does not come at all.
// Method: servers on sockets; a constructor that waits until the test lets it go.
#include <atomic>
#include <chrono>
#include <mutex>
#include <optional>
#include <string>

#include "support/client.h"
#include "support/gate.h"
#include "support/test_server.h"
#include "trireme/http.h"

namespace {

namespace tr = trireme;
namespace http = trireme::http;
using support::Client;
using support::Gate;
using support::wait_until;
using namespace std::chrono_literals;

const std::string kShake =
    "GET /ws HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";

// Whom a session tells of itself before it is made.
struct Lobby {
  std::mutex mutex;
  std::optional<http::WebSocket> socket;
  Gate gate;
};

struct LateRoom {
  LateRoom(http::WebSocket socket, Lobby& lobby) {
    {
      const std::lock_guard lock(lobby.mutex);
      lobby.socket = socket;
    }
    lobby.gate.wait();
    socket.send_text("welcome");
  }
};

class HttpSwitch : public testing::TestWithParam<tr::Dispatch> {
 protected:
  void start(std::chrono::nanoseconds handler_time_max = {}) {
    http::Routes routes;
    routes.websocket<LateRoom>("/ws", {}, lobby_);
    routes.get("/events", [this](http::EventStream events) {
      lobby_.gate.wait();
      events.send("first");
    });
    routes.get("/", [](const http::Request&) { return http::text("plain"); });
    tr::ListenOptions options;
    options.handler_time_max = handler_time_max;
    options.ordering = tr::Ordering::kSerial;
    server_.emplace(tr::ServerOptions{.io_workers = 1, .dispatch = GetParam()});
    server_->listen("tcp://127.0.0.1:0", http::serve(std::move(routes)), options);
    ASSERT_TRUE(server_->start());
  }
  // True once the loop has seen all that was sent before the call.
  bool loop_has_turned() {
    Client other(server_->urls()[0]);
    return other.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n") && other.line() == "HTTP/1.1 200 OK\r";
  }

  // The request whose handler waits has an error at its deadline, and nothing behind it.
  void expect_nothing_behind_the_deadline(const std::string& request) {
    start(20ms);
    Client client(server_->urls()[0]);
    ASSERT_TRUE(client.send(request));
    EXPECT_EQ(client.line(), "HTTP/1.1 503 Service Unavailable\r");
    lobby_.gate.open();
    const std::string rest = client.receive_all();
    for (const char* late : {"HTTP/1.1", "first", "welcome"}) {
      EXPECT_EQ(rest.find(late), std::string::npos) << rest;
    }
    client.close();
    EXPECT_TRUE(server_->drain().empty());
  }

  Lobby lobby_;
  std::optional<tr::Server> server_;
  Gate::Opener opener_{lobby_.gate};
};

TEST_P(HttpSwitch, WhatOthersSendMeanwhileComesBehindTheHandshake) {
  start();
  Client client(server_->urls()[0]);
  ASSERT_TRUE(client.send(kShake));
  ASSERT_TRUE(wait_until([&] { return lobby_.gate.arrived() == 1; }));
  {
    const std::lock_guard lock(lobby_.mutex);
    ASSERT_EQ(lobby_.socket->send_text("early"), tr::SendResult::kQueued);
  }
  ASSERT_TRUE(loop_has_turned());
  EXPECT_FALSE(client.readable_within(0ms));
  lobby_.gate.open();
  EXPECT_EQ(client.line(), "HTTP/1.1 101 Switching Protocols\r");
  while (client.line() != "\r") {
  }
  const std::string both =
      "\x81\x07welcome\x81\x05"
      "early";
  EXPECT_EQ(client.receive(both.size()), both);
  EXPECT_TRUE(server_->drain().empty());
}

TEST_P(HttpSwitch, AHandshakeThatMissesItsDeadlineDoesNotComeAtAll) {
  expect_nothing_behind_the_deadline(kShake);
}

TEST_P(HttpSwitch, AStreamThatMissesItsDeadlineDoesNotComeAtAll) {
  expect_nothing_behind_the_deadline("GET /events HTTP/1.1\r\nHost: a\r\n\r\n");
}

INSTANTIATE_TEST_SUITE_P(Dispatch, HttpSwitch,
                         testing::Values(tr::Dispatch::kWorkers, tr::Dispatch::kAdaptive));

}  // namespace
