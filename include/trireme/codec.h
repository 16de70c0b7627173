// Step 3, framing: how bytes become requests and replies become bytes. Pure functions: no I/O, no
// threads, no clock.
//
// A codec is one immutable object that every connection of a listener shares; what it must remember
// of one connection between two calls is in `DecodeState`. The same class serves the server,
// `testing::Conversation`, the load tool and the simulator. To write one, override `decode` and
// `envelope`.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

namespace trireme { inline namespace v0 {

// What a codec remembers of one connection. Zero at the start and after every `switch` of codecs.
struct DecodeState {
  size_t scanned = 0;  // bytes of the input that the last call has looked at without finding an end
  uint64_t flags =
      0;  // the codec's own; not 0 means: in the midst of a frame, although no byte of it is kept
};

// What `Codec::decode` found at the front of the input.
struct Frame {
  enum class Kind : uint8_t {
    kIncomplete,  // more bytes are needed; if it drops some (`consumed`), it is asked again about
                  // the rest; when the stream has ended: as kEnd, and what is left is dropped
    kRequest,     // `payload` is a request
    kRefused,  // not a request: `payload` is a sentence for the client, which gets an error reply;
               // goes on after it
    kFatal,    // as kRefused, but the connection ends after the error reply
    kEnd,  // only when the stream has ended: nothing more; a rest was dropped if `consumed` is not
           // 0
  };
  Kind kind = Kind::kIncomplete;
  size_t consumed = 0;  // bytes to take off the front of the input
  // Inside the consumed bytes, or empty, for kRequest; static text for kRefused and kFatal.
  std::string_view payload{};
  uint32_t request_kind = 0;  // a tag of the kind of request, for statistics and placement
};

// One of several requests that `Codec::decode_requests` has found.
struct DecodedRequest {
  std::string_view payload{};  // inside its frame, which begins at the end of the one before
  const char* end = nullptr;   // of its frame, in the input; it has one byte or more
  DecodeState after{};         // what the codec remembers behind it
  uint32_t kind = 0;           // Frame::request_kind
};

// Bytes that go around an answer. Small by design: the answer itself is never copied to be framed.
// More than there is room for is a mistake (Codec).
struct Envelope {
  std::array<char, 16> head{};
  std::array<char, 8> tail{};
  uint8_t head_bytes = 0;
  uint8_t tail_bytes = 0;
  bool is_empty() const { return head_bytes == 0 && tail_bytes == 0; }
};

// What a codec tells a client whose request failed.
struct ErrorReply {
  std::string body{};  // goes into the envelope; empty: nothing is sent
  bool close = false;  // the protocol has no error reply: end the connection instead
};

// A codec must not throw. What it throws, and every other mistake that can be seen - it consumes
// more than there is, its payload lies elsewhere, its envelope is overfilled, it finds request
// after request without consuming a byte - ends the connection at hand with
// CloseReason::kCodecError and a line in the log. Replies to earlier requests still leave.
class Codec {
 public:
  virtual ~Codec() = default;

  // Loop thread. Looks at `input`, all bytes that have arrived and were not consumed. `ended`: no
  // more will come. `frame_bytes_max` is the limit of the listener; a codec must refuse longer
  // frames, not gather them: one that waits for more with 64 KiB over it in front of it has made a
  // mistake. Called again and again until it answers kEnd, or kIncomplete without consuming
  // anything. Must not keep `input`.
  virtual Frame decode(DecodeState& state, std::string_view input, bool ended,
                       size_t frame_bytes_max) const = 0;

  // Loop thread. As `decode` again and again, for requests of `kind` that follow each other at the
  // front of `input`, at most into.size(); anything else ends it and is left for `decode`. Returns
  // how many there are. Override it where a loop of your own is faster.
  virtual size_t decode_requests(DecodeState& state, std::string_view input, bool ended,
                                 size_t frame_bytes_max, uint32_t kind,
                                 std::span<DecodedRequest> into) const;

  // Any thread. What goes before and after an answer of `body_bytes`.
  virtual Envelope envelope(size_t body_bytes) const = 0;
  // Before start(). True: the envelope is the same for every size, and is asked for once.
  virtual bool has_fixed_envelope() const { return false; }

  // Any thread. `sentence` has no line end, whatever the handler gave, and should have no full
  // stop.
  virtual ErrorReply error_reply(std::string_view sentence) const = 0;
  // Any thread. For a request that was refused because of load.
  virtual ErrorReply busy_reply() const = 0;
  // Any thread. The last words to a client when the server drains; empty: none.
  virtual std::string goodbye() const { return {}; }
};

// A request is whatever has arrived; an answer goes out as it is. There is no error reply: an error
// closes.
std::shared_ptr<const Codec> bytes();

// A request is a line without its end, "\n" or "\r\n"; an answer gets a "\n". An answer with
// newlines of its own is several lines, as it is: your protocol must tell the client how many, for
// example in the first one. Text that you did not make yourself goes through one_line(). Errors are
// `ERR sentence`, always one line; refusal is `BUSY`. A line over the limit is answered with an
// error and skipped to its newline; an unterminated last line is dropped and counted.
std::shared_ptr<const Codec> lines();

}}  // namespace trireme
