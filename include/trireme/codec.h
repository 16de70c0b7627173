// Step 3, framing: how bytes become requests and replies become bytes. Pure functions: no I/O, no
// threads, no clock.
//
// Thread: the holder of the loop for decoding; any thread for the bytes around a reply.
//
// A codec is one immutable object that all connections of a listener share. `DecodeState` holds
// what the codec must remember of one connection between two calls. The same class serves the
// server, `testing::Conversation`, the load tool and the simulator. A codec of your own overrides
// `decode`, `envelope`, `error_reply` and `busy_reply`.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

namespace trireme { inline namespace v0 {

// What a codec remembers of one connection. Zero at the start, and again after every change of the
// codec (Answer::then).
struct DecodeState {
  size_t scanned = 0;  // bytes of the input in which the last call has found no end
  // The codec's own. Not 0 means: the input is in the midst of a frame, although no byte of it is
  // kept.
  uint64_t flags = 0;
};

// What `Codec::decode` found at the front of the input.
struct Frame {
  enum class Kind : uint8_t {
    // The codec needs more bytes of a frame. If it drops some (`consumed`), it is asked again about
    // the rest. When the stream has ended, this means kEnd, and the rest is dropped.
    kIncomplete,
    // `payload` is a request.
    kRequest,
    // The frame is no request. `payload` is a sentence for the client, which gets an error reply;
    // the connection goes on.
    kRefused,
    // As kRefused, but the connection ends after the error reply.
    kFatal,
    // Only when the stream has ended: no more requests. `consumed` is not 0 if a rest was dropped.
    kEnd,
    // The consumed bytes, 1 or more, are no part of a request: a comment, a keep-alive. No reply.
    // The codec is asked again at once about the rest.
    kSkip,
  };
  Kind kind = Kind::kIncomplete;
  size_t consumed = 0;  // bytes to take off the front of the input
  // kRequest: inside the consumed bytes, or empty. kRefused and kFatal: static text.
  std::string_view payload{};
  // A tag of the kind of request, for statistics and placement. Tags over 14 share one record.
  uint32_t request_kind = 0;
};

// One of several requests that `Codec::decode_requests` has found. Its frame begins where the frame
// before it ends, and has one byte or more.
struct DecodedRequest {
  std::string_view payload{};  // inside the frame
  const char* end = nullptr;   // of the frame, in the input
  DecodeState after{};         // what the codec remembers behind the frame
  uint32_t kind = 0;           // Frame::request_kind
};

// Bytes that go around an answer. The arrays are small, because the answer itself is never copied
// to be framed. A count beyond its array is a mistake of the codec.
struct Envelope {
  std::array<char, 16> head{};
  std::array<char, 8> tail{};
  uint8_t head_bytes = 0;
  uint8_t tail_bytes = 0;

  // Any thread.
  bool is_empty() const { return head_bytes == 0 && tail_bytes == 0; }
};

// What a codec tells a client whose request failed.
struct ErrorReply {
  std::string body{};  // goes into the envelope; empty: nothing is sent
  bool close = false;  // the protocol has no error reply: the connection ends instead
};

// Several threads call one codec at once. A codec must not throw and must not block. These mistakes
// end the connection at hand with CloseReason::kCodecError and a line in the log: an exception;
// more bytes consumed than there are; a payload outside of them; an envelope over its size; request
// after request without a byte consumed; kSkip without one. Replies to earlier requests still
// leave.
class Codec {
 public:
  virtual ~Codec() = default;

  // Loop thread. Looks at `input`: all bytes that have arrived and were not consumed, borrowed for
  // the call. `ended`: no more will come. The server calls again until the answer is kEnd, or
  // kIncomplete with nothing consumed. A codec must refuse frames longer than `frame_bytes_max`,
  // the limit of the listener, and must not gather them: to want more with 64 KiB beyond the limit
  // at hand is a mistake.
  virtual Frame decode(DecodeState& state, std::string_view input, bool ended,
                       size_t frame_bytes_max) const = 0;

  // Loop thread. Decodes requests of `kind` that follow each other at the front of `input`, at most
  // into.size(), and returns their number. Stops before the first frame of any other sort and
  // leaves it for `decode`. The default calls `decode`; override it where a loop of your own is
  // faster.
  virtual size_t decode_requests(DecodeState& state, std::string_view input, bool ended,
                                 size_t frame_bytes_max, uint32_t kind,
                                 std::span<DecodedRequest> into) const;

  // Any thread. The bytes before and after an answer of `body_bytes`.
  virtual Envelope envelope(size_t body_bytes) const = 0;
  // Before start(). True: the envelope is the same for every size, and the server asks for it once.
  virtual bool has_fixed_envelope() const { return false; }

  // Any thread. The reply to a request that failed. `sentence` is borrowed for the call and has no
  // line end, whatever the handler gave.
  virtual ErrorReply error_reply(std::string_view sentence) const = 0;
  // Any thread. The reply to a request that was refused because of load.
  virtual ErrorReply busy_reply() const = 0;
  // Before start(). A sentence about options that cannot work with this limit of the listener:
  // start() refuses them with it. Empty: all is well.
  virtual std::string problem(size_t /*frame_bytes_max*/) const { return {}; }

  // Any thread. The last words to a client when the server drains. Empty: none.
  virtual std::string goodbye() const { return {}; }
};

// Any thread. A request is whatever has arrived; an answer goes out as it is. There is no error
// reply: an error closes the connection.
std::shared_ptr<const Codec> bytes();

// Any thread. A request is a line without its end, "\n" or "\r\n"; an answer gets a "\n". An answer
// with newlines of its own goes out as several lines: the protocol must tell the client how many,
// for example in the first one. Text from elsewhere must go through one_line(). An error is `ERR
// sentence`, always one line; a refusal is `BUSY`. A line over the limit gets an error and is
// skipped to its newline. An unterminated last line is dropped and counted.
std::shared_ptr<const Codec> lines();

}}  // namespace trireme
