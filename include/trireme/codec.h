// Step 3, framing: how bytes become requests and replies become bytes. Pure functions: no I/O, no
// threads, no clock.
//
// Thread: the holder of the loop for decoding; any thread for the bytes around a reply.
//
// A codec is one immutable object that all connections of a listener share. The same class serves
// the server, `testing::Conversation`, the load tool and the simulator. There are two ways to
// write each half (docs/codecs.md):
//
//   decoding   decode(): frames are views of the input; 16 bytes of state, DecodeState
//              make_decoder(): an object for each connection, decoder.h
//   replies    envelope(): bytes around an answer, by its size
//              encode(): knows the request by its tag, and what the handler says of its answer
//
// Every codec overrides `error_reply`.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "trireme/close_reason.h"
#include "trireme/decoder.h"
#include "trireme/encoder.h"
#include "trireme/frame.h"

namespace trireme { inline namespace v0 {

// What a codec remembers of one connection. Zero at the start, and again after every change of the
// codec (Answer::then).
struct DecodeState {
  size_t scanned = 0;  // bytes of the input in which the last call has found no end
  // The codec's own. Not 0 means: the input is in the midst of a frame, although no byte of it is
  // kept.
  uint64_t flags = 0;
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

// The envelopes of all answers, as a rule: the server applies it without a call for each.
struct EnvelopeRecipe {
  // Of every answer. With a length in the head, its bytes are zeros here.
  Envelope around{};
  uint8_t length_bytes = 0;   // of the length in the head; 0: there is none. At most 8
  uint8_t length_offset = 0;  // where it begins
  bool is_little = false;     // its least significant byte comes first
  int64_t length_beside = 0;  // it counts so many bytes more than the answer has
  // Answers of other sizes have no length: envelope() is asked, and throws.
  uint64_t body_bytes_min = 0;
  uint64_t body_bytes_max = UINT64_MAX;
};

// What a codec tells a client whose request failed.
struct ErrorReply {
  std::string body{};      // goes out as an answer does; empty: nothing is sent
  bool close = false;      // the connection ends, behind the body if there is one
  bool is_framed = false;  // the body is a whole reply: nothing goes around it
};

// Several threads call one codec at once. A codec must not throw and must not block. These mistakes
// end the connection at hand with CloseReason::kCodecError and a line in the log: an exception;
// more bytes consumed than there are; a payload outside of them; an envelope, or what encode() has
// made, over its size; request after request without a byte consumed; kSkip without one; more kept
// than a frame may have. Replies to earlier requests still leave.
class Codec {
 public:
  virtual ~Codec() = default;

  // Loop thread. A decoder for a connection that begins to speak this codec. Null: decode() and
  // DecodeState are enough; else those are never used. Always one or the other.
  virtual std::unique_ptr<ConnectionDecoder> make_decoder() const;
  // Before start(). True, for codecs with decoders: their connections are decoded while a handler
  // runs. Control frames are answered at once; up to 16 requests wait decoded, with
  // `read_ahead_bytes_max`. No answer may switch from such a codec to another.
  virtual bool decodes_ahead() const { return false; }

  // Before start(). True: some of its requests have DecodedFrame::streams. A listener with
  // Dispatch::kInline is refused.
  virtual bool marks_streams() const { return false; }

  // Loop thread. For codecs without decoders. Looks at `input`: all bytes that have arrived and
  // were not consumed, borrowed for the call. `ended`: no more will come. The server calls again
  // until the answer is kEnd, or kIncomplete with nothing consumed. A codec must refuse frames
  // longer than `frame_bytes_max`, the limit of the listener, and must not gather them: to want
  // more with 64 KiB beyond the limit at hand is a mistake.
  virtual Frame decode(DecodeState& state, std::string_view input, bool ended,
                       size_t frame_bytes_max) const;

  // Loop thread. Decodes requests of `kind` that follow each other at the front of `input`, at most
  // into.size(), and returns their number. Stops before the first frame of any other sort and
  // leaves it for `decode`. The default calls `decode`; override it where a loop of your own is
  // faster.
  virtual size_t decode_requests(DecodeState& state, std::string_view input, bool ended,
                                 size_t frame_bytes_max, uint32_t kind,
                                 std::span<DecodedRequest> into) const;

  // Any thread. The bytes before and after an answer of `body_bytes`. The default: none.
  virtual Envelope envelope(size_t body_bytes) const;
  // Before start(). True: the envelope is the same for every size, and the server asks for it once.
  virtual bool has_fixed_envelope() const { return false; }
  // Before start(). The same where a length is all that differs. False: `into` is not used. The
  // default makes one of a fixed envelope.
  virtual bool envelope_recipe(EnvelopeRecipe& into) const;

  // Before start(). True: replies and pushes are framed by encode(), and envelope() is never asked.
  virtual bool has_encoder() const { return false; }
  // Any thread. What goes around a reply. `into` is empty.
  virtual void encode(const OutgoingReply& /*reply*/, EncodedReply& /*into*/) const {}
  // Any thread. A reply in chunks: what goes in front of the first, around each, and behind the
  // last. `reply.body_bytes` is 0, for nobody knows it. The defaults leave chunks as they are.
  virtual void encode_begin(const OutgoingReply& /*reply*/, EncodedReply& /*into*/) const {}
  virtual void encode_chunk(const ReplyTag& /*tag*/, uint64_t /*chunk_bytes*/,
                            EncodedReply& /*into*/) const {}
  virtual void encode_end(const ReplyTag& /*tag*/, EncodedReply& /*into*/) const {}

  // Any thread. The reply to a request that failed.
  virtual ErrorReply error_reply(const FailedRequest& failed) const = 0;
  // Before start(). True: requests are text. A client that speaks first, and begins as TLS does, is
  // closed at once with kProtocolError: it has taken the port for another one, and the log says so.
  virtual bool is_text() const { return false; }
  // Before start(). A sentence about options that cannot work with this limit of the listener:
  // start() refuses them with it. Empty: all is well.
  virtual std::string problem(size_t /*frame_bytes_max*/) const { return {}; }

  // Loop thread. True: clients come back as soon as the server ends their connections, as browsers
  // do. A drain then ends them one after the other: a loop one each 5 ms, or more, if that would
  // take more than 5 seconds or half of `drain_time_max`.
  virtual bool clients_return() const { return false; }

  // Loop thread. The last words to a client before the server ends its connection in good order,
  // behind all replies: kDrained, kClosedByHandler, kIdleTimeout, kSilentTimeout, or
  // kRequestTimeout, if a request was not whole in time; kLayerFailed, if it speaks this codec
  // without the layer that stands before it, such as TLS. They go out as they are. Empty: none.
  virtual std::string last_words(CloseReason /*reason*/) const { return {}; }
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
