#include "services/hello.h"

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cstdint>
#include <string_view>
#include <utility>

#include "services/delay.h"
#include "services/files.h"

namespace services {
namespace {

namespace http = tr::http;

constexpr uint32_t kMicrosecondsMax = 60'000'000;
constexpr size_t kMessageBytesMax = 16 << 20;

struct EchoSession {
  explicit EchoSession(http::WebSocket) {}
  http::Outgoing on_message(const http::Message& message) { return message; }
};

http::Response answer_delay_route(const http::Request& request) {
  const std::string digits = request.param("microseconds");
  const char* const end = digits.data() + digits.size();
  uint32_t microseconds = 0;
  const auto [stop, problem] = std::from_chars(digits.data(), end, microseconds);
  if (problem != std::errc() || stop != end || microseconds > kMicrosecondsMax) {
    return http::problem(400, "the delay is a decimal number from 0 to 60000000");
  }
  if (microseconds > 0) blocking_sleep(std::chrono::microseconds(microseconds));
  return http::text("slept\n");
}

}  // namespace

Ticker::Ticker() : thread_([this] { run(); }) {}

Ticker::~Ticker() {
  {
    const std::lock_guard lock(mutex_);
    stops_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

void Ticker::add(http::EventStream stream) {
  const std::lock_guard lock(mutex_);
  streams_.push_back(std::move(stream));
  changed_.notify_all();
}

void Ticker::run() {
  uint64_t number = 0;
  std::unique_lock lock(mutex_);
  while (!stops_) {
    if (streams_.empty()) {
      changed_.wait(lock);
      continue;
    }
    changed_.wait_for(lock, std::chrono::seconds(1), [this] { return stops_; });
    const std::string data = std::to_string(++number);
    std::erase_if(streams_, [&](const http::EventStream& stream) {
      return stream.send({.data = data, .id = data}, tr::Overflow::kLatest) ==
             tr::SendResult::kClosed;
    });
  }
}

http::Routes hello_routes(Ticker& ticker, size_t echo_bytes_max) {
  http::Routes routes;
  routes.get("/", [](const http::Request&) { return http::text("hello, world\n"); });
  const auto echo = [](const http::Request& request) {
    http::Response response;
    if (request.has_header("content-type")) {
      response.header("Content-Type", request.header("content-type"));
    }
    return std::move(response).body(tr::borrow(request.body()));
  };
  routes.post("/echo", echo, {.body_bytes_max = echo_bytes_max});
  routes.get("/delay/:microseconds", answer_delay_route);
  routes.get("/events", [&ticker](http::EventStream stream) { ticker.add(std::move(stream)); });
  routes.websocket<EchoSession>("/ws", {.message_bytes_max = kMessageBytesMax});
  return routes;
}

tr::Result<tr::Done> add_hello(tr::Server& server, Ticker& ticker, const std::string& url,
                               const std::string& root, const tr::ListenOptions& options) {
  const size_t echo_bytes_max = options.limits.frame_bytes_max;
  http::Routes routes = hello_routes(ticker, echo_bytes_max);
  if (!root.empty()) {
    auto files = file_routes({.root = root});
    if (!files) return files.error();
    routes.mount("", std::move(files.value()));
  }
  tr::ListenOptions own = options;
  own.limits.frame_bytes_max = std::max(echo_bytes_max, kMessageBytesMax);
  server.listen(url, http::serve(std::move(routes)), own);
  return tr::Done{};
}

}  // namespace services
