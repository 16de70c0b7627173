// Goal: the messages in any bytes are those that another implementation, wslay, finds in them.
// Method: libFuzzer; both read the whole stream, and what they have told by the first frame that is
// wrong, or ends the connection, must be equal.
#include <wslay/wslay.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>

#include "http/websocket/frames.h"

namespace {

namespace http = trireme::http;

constexpr uint64_t kMessageBytesMax = 300;

// A stream that is read, and what was told of it.
struct Read {
  std::string_view stream;
  std::string told;
};

ssize_t on_recv(wslay_event_context_ptr context, uint8_t* into, size_t bytes, int, void* user) {
  auto& read = *static_cast<Read*>(user);
  const size_t size = std::min(bytes, read.stream.size());
  if (size == 0) {
    wslay_event_set_error(context, WSLAY_ERR_WOULDBLOCK);
    return -1;
  }
  read.stream.copy(reinterpret_cast<char*>(into), size);
  read.stream.remove_prefix(size);
  return static_cast<ssize_t>(size);
}

ssize_t on_send(wslay_event_context_ptr, const uint8_t*, size_t bytes, int, void*) {
  return static_cast<ssize_t>(bytes);
}

void on_message(wslay_event_context_ptr, const wslay_event_on_msg_recv_arg* arg, void* user) {
  auto& read = *static_cast<Read*>(user);
  const std::string payload(reinterpret_cast<const char*>(arg->msg), arg->msg_length);
  if (arg->opcode == WSLAY_TEXT_FRAME) read.told += "text " + payload + "\n";
  if (arg->opcode == WSLAY_BINARY_FRAME) read.told += "binary " + payload + "\n";
  if (arg->opcode == WSLAY_PING) read.told += "ping " + payload + "\n";
}

std::string told_by_wslay(std::string_view stream) {
  Read read{stream, {}};
  wslay_event_callbacks callbacks{};
  callbacks.recv_callback = on_recv;
  callbacks.send_callback = on_send;
  callbacks.on_msg_recv_callback = on_message;
  wslay_event_context_ptr context = nullptr;
  if (wslay_event_context_server_init(&context, &callbacks, &read) != 0) std::abort();
  wslay_event_config_set_max_recv_msg_length(context, kMessageBytesMax);
  while (wslay_event_want_read(context) != 0 && !read.stream.empty()) {
    if (wslay_event_recv(context) != 0) break;
  }
  wslay_event_context_free(context);
  return read.told;
}

std::string told_by_us(std::string_view stream) {
  using Kind = http::FrameReader::Kind;
  http::FrameLimits limits;
  limits.message_bytes_max = kMessageBytesMax;
  http::FrameReader reader;
  std::string bytes(stream), told;
  std::span<char> input(bytes.data(), bytes.size());
  while (true) {
    const auto found = reader.read(input, limits);
    const std::string payload(found.owned.empty() ? found.payload : std::string_view(found.owned));
    if (found.kind == Kind::kMessage) told += (found.text ? "text " : "binary ") + payload + "\n";
    if (found.kind == Kind::kPing) told += "ping " + payload + "\n";
    const bool goes_on =
        found.kind == Kind::kMessage || found.kind == Kind::kPing || found.kind == Kind::kPart;
    if (!goes_on) return told;
    input = input.subspan(found.consumed);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view stream(reinterpret_cast<const char*>(data), size);
  const std::string ours = told_by_us(stream);
  const std::string theirs = told_by_wslay(stream);
  if (ours == theirs) return 0;
  std::fprintf(stderr, "fuzz: wslay tells\n%s\nand we\n%s\n", theirs.c_str(), ours.c_str());
  std::abort();
}
