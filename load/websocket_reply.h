// What a server of WebSocket (RFC 6455) sends, cut into its frames; and frames of a client.
//
// Part of the load engine; a reader belongs to one connection and its thread.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

namespace load {

enum class WebSocketOpcode : uint8_t {
  kContinuation = 0,
  kText = 1,
  kBinary = 2,
  kClose = 8,
  kPing = 9,
  kPong = 10,
};

// Appends a frame of a client, masked. `key`: as for all clients but browsers, it hides nothing.
void append_client_frame(WebSocketOpcode opcode, std::string_view payload, uint32_t key,
                         std::string& into);

class WebSocketReader {
 public:
  enum class Found : uint8_t {
    kMore,     // all was taken, and more must come
    kPayload,  // payload() is the next piece of the message
    kMessage,  // the message is whole: message_bytes(), is_text()
    kPing,     // payload() is to be sent back
    kClose,    // payload() begins with the code, if there is one
    kFault,    // no frame of a server
  };

  // Takes the next piece off `bytes`. What payload() gives is borrowed until the next call.
  Found next(std::string_view& bytes);

  std::string_view payload() const { return payload_; }
  uint64_t message_bytes() const { return message_bytes_; }
  bool is_text() const { return is_text_; }

 private:
  static constexpr size_t kHeadBytesMax = 10;

  bool take_head(std::string_view& bytes);
  bool read_head();
  Found take_payload(std::string_view& bytes);
  Found end_frame();

  std::array<unsigned char, kHeadBytesMax> head_{};
  std::string control_;  // of a control frame
  std::string_view payload_;
  uint64_t left_ = 0;
  uint64_t message_bytes_ = 0;
  uint8_t head_bytes_ = 0;
  bool in_payload_ = false;
  bool in_message_ = false;  // a fragment has come, and not the last
  bool is_text_ = false;
};

}  // namespace load
