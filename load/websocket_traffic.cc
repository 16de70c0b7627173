#include <algorithm>

#include "load/web_traffic.h"

namespace load {
namespace {

// The example of RFC 6455, 1.3: a key keeps caches from answering, and there is none.
constexpr std::string_view kKey = "dGhlIHNhbXBsZSBub25jZQ==";
constexpr std::string_view kAccept = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";
constexpr size_t kHeadBytesMax = 64 << 10;

class WebSocketTraffic final : public Traffic {
 public:
  WebSocketTraffic(const WebOptions& web, uint64_t message_bytes)
      : web_(web), content_(message_bytes), message_bytes_(message_bytes) {}

  void opened(Connection& connection) override {
    connection.out +=
        head_of(web_, web_.target) +
        "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: " + std::string(kKey) +
        "\r\nSec-WebSocket-Version: 13\r\n\r\n";
    connection.greets = true;
  }

  void add_request(Connection& connection, const Pending& request, Tally&) override {
    const auto opcode = web_.is_binary ? WebSocketOpcode::kBinary : WebSocketOpcode::kText;
    append_client_frame(opcode, content_.of(connection, request.id), key_of(request.id),
                        connection.out);
    connection.push(request);
  }

  void receive(Connection& connection, std::string_view bytes, int64_t now_ns,
               Tally& tally) override {
    connection.received += bytes.size();
    if (connection.greets && !take_greeting(connection, bytes, tally)) return;
    while (connection.fault == nullptr) {
      switch (connection.frames.next(bytes)) {
        case WebSocketReader::Found::kMore:
          return;
        case WebSocketReader::Found::kPayload:
          compare(connection, tally);
          break;
        case WebSocketReader::Found::kMessage:
          check(connection, now_ns, tally);
          break;
        case WebSocketReader::Found::kPing:
          append_client_frame(WebSocketOpcode::kPong, connection.frames.payload(), key_of(0),
                              connection.out);
          break;
        case WebSocketReader::Found::kClose:
          connection.fault = "the server has sent a Close frame";
          break;
        case WebSocketReader::Found::kFault:
          ++tally.wrong_bytes;
          connection.fault = "what the server sent is no frame";
          break;
      }
    }
  }

 private:
  static uint32_t key_of(uint64_t number) {
    return static_cast<uint32_t>((number + 1) * 0x9e3779b97f4a7c15u >> 32);
  }

  // True: the connection speaks WebSocket, and `bytes` is what came behind the handshake.
  static bool take_greeting(Connection& connection, std::string_view& bytes, Tally& tally) {
    std::string& head = connection.partial;
    const size_t before = head.size();
    head.append(bytes);
    const size_t end = head.find("\r\n\r\n");
    if (end == head.npos) {
      if (head.size() > kHeadBytesMax) connection.fault = "the server's handshake has no end";
      return false;
    }
    head.resize(end + 4);
    bytes.remove_prefix(head.size() - before);
    if (!head.starts_with("HTTP/1.1 101") || field_of(head, "sec-websocket-accept") != kAccept) {
      tally.note("connection " + std::to_string(connection.index) +
                 ": no WebSocket: the server answered " + head.substr(0, head.find("\r\n")));
      ++tally.wrong_bytes;
      connection.fault = "the server is none of WebSocket";
      return false;
    }
    head.clear();
    connection.greets = false;
    return true;
  }

  void compare(const Connection& connection, Tally& tally) const {
    const std::string_view got = connection.frames.payload();
    if (got.empty() || connection.pending.empty()) return;
    const std::string_view all = content_.of(connection, connection.pending.oldest().id);
    const uint64_t from = connection.frames.message_bytes() - got.size();
    const std::string_view wanted =
        from < all.size() ? all.substr(from, got.size()) : std::string_view();
    if (got == wanted) return;
    count_differences(connection, connection.received - got.size(), got, wanted, tally);
  }

  void check(Connection& connection, int64_t now_ns, Tally& tally) const {
    const uint64_t bytes = connection.frames.message_bytes();
    if (connection.pending.empty()) {
      tally.wrong_bytes += std::max<uint64_t>(bytes, 1);
      connection.fault = "a message that no request has asked for";
      return;
    }
    if (bytes != message_bytes_) {
      tally.note("connection " + std::to_string(connection.index) + ": a message of " +
                 std::to_string(bytes) + " bytes, expected " + std::to_string(message_bytes_));
      tally.wrong_bytes += std::max(bytes, message_bytes_) - std::min(bytes, message_bytes_);
    } else if (connection.frames.is_text() == web_.is_binary) {
      tally.note("connection " + std::to_string(connection.index) +
                 ": a message of the other sort, text or binary");
      ++tally.wrong_bytes;
    }
    connection.complete(now_ns, tally);
  }

  const WebOptions& web_;
  const WebContent content_;
  const uint64_t message_bytes_;
};

}  // namespace

std::unique_ptr<Traffic> make_websocket_traffic(const WebOptions& web, uint64_t message_bytes) {
  return std::make_unique<WebSocketTraffic>(web, message_bytes);
}

}  // namespace load
