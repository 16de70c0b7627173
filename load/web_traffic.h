// What a load of HTTP or WebSocket sends and expects.
//
// Part of the load engine. A value, made before the run.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "load/traffic.h"

namespace load {

struct WebOptions {
  std::string host;  // as the field Host says it
  std::string target = "/";
  std::string method = "GET";
  std::vector<std::string> fields;  // "Name: value", beside those that every request has
  std::string block_target;         // of requests that ask the server to block
  int status = 200;                 // of each reply; 503 is a refusal, unless it is wanted
  // Of the content of each reply; none: as the first one that a thread gets.
  std::optional<uint64_t> reply_bytes;
  bool echoes = false;     // the content of a reply is that of its request
  bool closes = false;     // one request a connection
  bool is_binary = false;  // messages of WebSocket; else they are text
};

// Requests with a body of `body_bytes`, 0: none; `web` outlives the traffic.
std::unique_ptr<Traffic> make_http_traffic(const WebOptions& web, uint64_t body_bytes);
// A handshake, then messages that come back as they were.
std::unique_ptr<Traffic> make_websocket_traffic(const WebOptions& web, uint64_t message_bytes);

// The first lines of a request, without the empty line at its end.
std::string head_of(const WebOptions& web, const std::string& target);

// Printable bytes from which the content of requests is cut: where a connection and a request
// begin in it, no other does shortly before or after.
class WebContent {
 public:
  explicit WebContent(uint64_t bytes);

  std::string_view of(const Connection& connection, uint64_t request) const;

 private:
  static constexpr uint64_t kPeriod = 65521;  // prime

  const uint64_t bytes_;
  std::string period_;
};

}  // namespace load
