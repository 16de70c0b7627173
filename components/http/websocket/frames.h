// Frames of WebSocket (RFC 6455, 5) into messages: unmasks, puts fragments together, checks UTF-8
// as it comes. A message in one frame stays where it is; others are gathered.
//
// Step 3, framing. Thread: the holder of the loop; pure. Bounded: FrameLimits.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "http/websocket/utf8.h"

namespace trireme { inline namespace v0 { namespace http {

enum class Opcode : uint8_t {
  kContinuation = 0,
  kText = 1,
  kBinary = 2,
  kClose = 8,
  kPing = 9,
  kPong = 10,
};

// Close codes that a server says (RFC 6455, 7.4.1).
enum CloseCode : uint16_t {
  kCloseNormal = 1000,
  kCloseGoingAway = 1001,
  kCloseProtocolError = 1002,
  kCloseInvalidData = 1007,
  kClosePolicy = 1008,
  kCloseTooBig = 1009,
  kCloseInternal = 1011,
};

// Whether an endpoint may send it in a Close frame.
constexpr bool is_close_code(uint16_t code) {
  if (code >= 3000 && code <= 4999) return true;
  return code >= 1000 && code <= 1014 && code != 1004 && code != 1005 && code != 1006;
}

constexpr size_t kFrameHeadBytesMax = 10;  // of a frame without mask

// The head of a whole frame of a server; returns its bytes.
size_t put_frame_head(Opcode opcode, bool compressed, uint64_t payload_bytes, char* into);
// A frame with its payload.
std::string frame_of(Opcode opcode, std::string_view payload, bool compressed = false);
// A Close frame. `reason` is cut at 123 bytes, before a character.
std::string close_frame(uint16_t code, std::string_view reason = {});

// XORs bytes with the mask, from that place in the payload on.
void unmask(std::span<char> bytes, const std::array<char, 4>& mask, uint64_t offset);

struct FrameLimits {
  uint64_t message_bytes_max = 16 << 20;  // over it 1009
  bool deflate = false;                   // permessage-deflate was agreed
};

class FrameReader {
 public:
  enum class Kind : uint8_t {
    kMore,     // more bytes are needed; nothing is consumed
    kPart,     // consumed: a part of a message, or a pong
    kMessage,  // whole, in `payload` or, if not empty, `owned`
    kPing,     // `payload` is to come back
    kClose,    // the client ends; `code` is what it said, 1005 if nothing
    kFailed,   // the connection ends with `code`
  };
  struct Found {
    Kind kind = Kind::kMore;
    bool text = false;
    bool compressed = false;  // the payload is deflated, and its UTF-8 was not looked at
    uint16_t code = 0;
    size_t consumed = 0;
    std::string_view payload{};  // in the consumed bytes
    std::string owned{};
  };

  // `input`: all bytes that were not consumed; payloads in it are unmasked in place.
  Found read(std::span<char> input, const FrameLimits& limits);

  size_t bytes_held() const { return message_.size(); }
  // Some of a message has come, and not all of it.
  bool in_message() const { return in_frame_ || fragmented_; }

 private:
  struct Head {
    uint8_t first = 0;
    std::array<char, 4> mask{};
    uint64_t payload_bytes = 0;
    size_t bytes = 0;

    Opcode opcode() const { return static_cast<Opcode>(first & 15); }
    bool is_final() const { return (first & 0x80) != 0; }
    bool is_control() const { return (first & 8) != 0; }
  };

  static Found fail(uint16_t code);
  // The code for what is wrong with what has come of a head; 0: nothing.
  uint16_t judge(std::span<const char> input, const FrameLimits& limits) const;
  bool read_head(std::span<const char> input, Head& head) const;
  Found read_control(std::span<char> input, const Head& head);
  Found read_close(std::string_view payload, size_t consumed);
  Found begin_data(std::span<char> input, const Head& head, const FrameLimits& limits);
  Found read_payload(std::span<char> input, size_t head_bytes);
  Found end_message(size_t consumed);

  Head frame_;               // in_frame_: the one whose payload comes in parts
  uint64_t frame_done_ = 0;  // of its payload
  std::string message_;      // what is gathered
  Utf8 utf8_;
  bool in_frame_ = false;
  bool fragmented_ = false;  // a message that waits for its continuation
  bool text_ = false;
  bool compressed_ = false;
};

}}}  // namespace trireme::http
