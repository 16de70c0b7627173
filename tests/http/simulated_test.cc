// Goal: HTTP, streams of events and WebSockets keep their order and their bytes in every world that
// a seed draws: cut reads, delays, resets, threads that are preempted. Method: the simulator; each
// client checks what it hears.
#include <gtest/gtest.h>

#include <chrono>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "http/websocket/frames.h"
#include "trireme/http.h"
#include "trireme/sim/explore.h"

namespace {

namespace tr = trireme;
namespace http = trireme::http;
namespace sim = trireme::sim;
using namespace std::chrono_literals;

struct Feed {
  std::mutex mutex;
  std::vector<http::EventStream> streams;

  void tell(std::string_view news) {
    const http::PreparedEvent event({.data = news});
    const std::lock_guard lock(mutex);
    std::erase_if(streams, [&](const http::EventStream& stream) {
      return stream.send(event) == tr::SendResult::kClosed;
    });
  }
};

struct EchoRoom {
  explicit EchoRoom(http::WebSocket given) : socket(std::move(given)) {}
  http::Outgoing on_message(const http::Message& message) {
    if (message.bytes == "slow") std::this_thread::sleep_for(5ms);  // why: it blocks
    return message;
  }
  http::WebSocket socket;
};

http::Routes simulated_routes(Feed& feed) {
  http::Routes routes;
  routes.get("/hello/:name", [](const http::Request& request) {
    return http::text("hello " + request.param("name"));
  });
  routes.post("/echo",
              [](const http::Request& request) { return http::text(std::string(request.body())); });
  routes.get("/slow", [](const http::Request&) {
    std::this_thread::sleep_for(20ms);  // why: likewise
    return http::text("slow");
  });
  routes.post("/news", [&feed](const http::Request& request) {
    feed.tell(request.body());
    return http::Response(204);
  });
  routes.get("/events", [&feed](http::EventStream stream) {
    const std::lock_guard lock(feed.mutex);
    feed.streams.push_back(std::move(stream));
  });
  routes.websocket<EchoRoom>("/ws", {});
  return routes;
}

// The body of the next response.
std::string read_response(sim::Client& client) {
  size_t bytes = 0;
  while (true) {
    const std::string line = client.read_line();
    if (line == "\r") return client.read(bytes);
    constexpr std::string_view kLength = "Content-Length: ";
    if (line.starts_with(kLength)) bytes = std::stoul(line.substr(kLength.size()));
  }
}

void send_in_pieces(sim::Client& client, std::string_view bytes) {
  while (!bytes.empty()) {
    const size_t piece = std::min<size_t>(1 + client.below(40), bytes.size());
    client.send(bytes.substr(0, piece));
    bytes.remove_prefix(piece);
    if (client.below(4) == 0) client.pause(std::chrono::microseconds(client.below(300)));
  }
}

void ask_much(sim::Client& client, const std::string& url, sim::World& world) {
  client.connect(url);
  std::string all;
  for (int i = 0; i < 6; ++i) {
    const std::string name = client.name() + std::to_string(i);
    all += "GET /hello/" + name + " HTTP/1.1\r\nHost: a\r\n\r\n";
    all += "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
    all += "3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n";
    if (i == 2) all += "GET /slow HTTP/1.1\r\nHost: a\r\n\r\n";
  }
  send_in_pieces(client, all);
  for (int i = 0; i < 6; ++i) {
    world.check(read_response(client) == "hello " + client.name() + std::to_string(i), "the order");
    world.check(read_response(client) == "abcde", "the content");
    if (i == 2) world.check(read_response(client) == "slow", "the slow one");
  }
}

std::string simulated_frame(std::string payload) {
  std::string frame = "\x81";
  frame += static_cast<char>(0x80 | payload.size());
  for (size_t i = 0; i < payload.size(); ++i) {
    payload[i] = static_cast<char>(payload[i] ^ "mask"[i % 4]);
  }
  return frame + "mask" + payload;
}

void talk(sim::Client& client, const std::string& url) {
  client.connect(url);
  client.send(
      "GET /ws HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
      "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n");
  while (client.read_line() != "\r") {
  }
  std::string all;
  for (const char* words : {"one", "slow", "three", "slow", "five"}) all += simulated_frame(words);
  send_in_pieces(client, all);
  for (const char* words : {"one", "slow", "three", "slow", "five"}) {
    client.expect(http::frame_of(http::Opcode::kText, words));
  }
  client.send(std::string("\x88\x80mask", 6));
  client.expect(std::string("\x88\x00", 2));
  client.expect_end();
}

// Each event that it hears is whole, and none comes twice.
void listen(sim::Client& client, const std::string& url, sim::World& world) {
  client.connect(url);
  client.send("GET /events HTTP/1.1\r\nHost: a\r\n\r\n");
  while (client.read_line() != "\r") {
  }
  const std::string heard = client.read_for(40ms);
  std::vector<std::string> seen;
  for (size_t at = heard.find("data: "); at != heard.npos; at = heard.find("data: ", at + 1)) {
    const size_t end = heard.find('\n', at);
    if (end == heard.npos) break;
    const std::string news = heard.substr(at + 6, end - at - 6);
    world.check(news.starts_with("news of "), "an event is whole");
    world.check(std::find(seen.begin(), seen.end(), news) == seen.end(), "an event comes once");
    seen.push_back(news);
  }
}

void tell_news(sim::Client& client, const std::string& url) {
  client.connect(url);
  for (int i = 0; i < 5; ++i) {
    const std::string news = "news of " + client.name() + std::to_string(i);
    client.send("POST /news HTTP/1.1\r\nHost: a\r\nContent-Length: " + std::to_string(news.size()) +
                "\r\n\r\n" + news);
    static_cast<void>(read_response(client));
    client.pause(std::chrono::microseconds(client.below(2000)));
  }
}

TEST(HttpSimulated, KeepsOrderAndBytesInEveryWorld) {
  const auto scenario = [](sim::World& world) {
    Feed feed;
    tr::Server server({.io_workers = 2, .log_level = tr::LogLevel::kError}, world.platform());
    server.listen("tcp://127.0.0.1:0", http::serve(simulated_routes(feed)));
    world.start(server);
    const std::string url = server.urls()[0];
    for (const char* name : {"ada", "bob"}) {
      world.client(name, [&](sim::Client& client) { ask_much(client, url, world); });
    }
    for (const char* name : {"cyd", "dan"}) {
      world.client(name, [&](sim::Client& client) { talk(client, url); });
    }
    world.client("eve", [&](sim::Client& client) { listen(client, url, world); });
    world.client("fay", [&](sim::Client& client) { tell_news(client, url); });
    world.finish(server);
  };
  const auto found = sim::explore({.name = "http", .seeds = 40}, scenario);
  EXPECT_TRUE(found) << found.report;
}

// Browsers come back as soon as they are ended, so a drain ends them one after the other; others it
// ends at once.
TEST(HttpSimulated, ADrainEndsWebSocketsOneAfterTheOther) {
  constexpr int kSockets = 30;
  const auto scenario = [](sim::World& world) {
    Feed feed;
    tr::Server server({.io_workers = 1, .log_level = tr::LogLevel::kError}, world.platform());
    server.listen("tcp://127.0.0.1:0", http::serve(simulated_routes(feed)));
    world.start(server);
    world.calm();
    const std::string url = server.urls()[0];
    int connected = 0;
    std::vector<std::chrono::nanoseconds> ends;
    const auto browse = [&](sim::Client& client) {
      client.connect(url);
      client.send(
          "GET /ws HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
          "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n");
      while (client.read_line() != "\r") {
      }
      ++connected;
      client.expect(http::close_frame(1001));
      ends.push_back(world.now());
      client.expect_end();
    };
    for (int i = 0; i < kSockets; ++i) world.client("tab" + std::to_string(i), browse);
    world.wait_until([&] { return connected == kSockets; }, 30s);
    const auto begin = world.now();
    world.check(server.drain().empty(), "the drain");
    world.wait_for_clients();
    world.check(ends.size() == kSockets, "each is told");
    world.check(ends.front() - begin < 5ms * kSockets, "the first one soon");
    world.check(ends.back() - ends.front() >= 4ms * (kSockets - 1), "they are spread");
    world.check(ends.back() - begin < 2s, "and not for long");
  };
  const auto found = sim::explore(
      {.name = "http-drain", .seeds = 5, .world = {.faults = sim::Faults{}}}, scenario);
  EXPECT_TRUE(found) << found.report;
}

}  // namespace
