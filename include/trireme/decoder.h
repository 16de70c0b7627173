// Step 3, framing: decoders with a memory of their own, one for each connection. For protocols
// whose frames are more than a view of the input: bodies in chunks, masked bytes, control frames
// between messages, heads that are parsed once.
//
// Thread: the holder of the loop. A decoder belongs to its connection and needs no lock.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "trireme/frame.h"
#include "trireme/request_view.h"

namespace trireme { inline namespace v0 {

// What comes behind a request.
enum class BodyMode : uint8_t {
  kNone,  // it is whole
  // Its body follows in parts, Frame::Kind::kPart. The handler starts when the last one is there:
  // it never waits for the client. The decoder limits the size.
  kGathered,
  // Likewise, but the handler starts now, and reads the parts as they come. It takes a permit, as
  // with `streams`. With Dispatch::kInline, and in a testing::Conversation, as kGathered.
  kStreamed,
};

// What a decoder has found. It comes as new to every call.
struct DecodedFrame : Frame {
  // kRequest, kPart. Not empty: the bytes of the request, or of the part, in place of `payload`.
  // The request owns them.
  std::string owned{};
  // kRequest. Its handler waits on streams, as with ListenOptions::streams. The codec must say so
  // before: marks_streams().
  bool streams = false;
  // kRequest. Until the last part nothing but parts may follow, or what ends the connection; and,
  // with no byte to be answered in order, kSkip and kIncomplete.
  BodyMode body = BodyMode::kNone;
  // kPart. It is the last one. kRequest: its body is empty.
  bool ends_body = false;
  // kRequest. What was understood of it, for `request.as<T>()`. Owners: the request until its
  // handler has returned, and the decoder if it keeps one: with use_count() of 1 it may be used
  // again.
  std::shared_ptr<RequestView> view{};
  // kRequest, kRefused, kFatal. Comes back to encode() and error_reply().
  ReplyTag tag{};
  // kRefused, kFatal. Comes back to error_reply(): a number that the protocol has for what is
  // wrong, such as 414.
  uint32_t code = 0;
  // With any kind. Bytes that answer by themselves, in the order of requests: behind the replies to
  // earlier requests, in front of the reply to this one. `100 Continue`, for example.
  std::string reply{};
  // With any kind. Bytes that leave at once, between two replies, also while a handler runs if the
  // codec decodes ahead. The answer to a ping, for example.
  std::string at_once{};
};

// What understands the bytes of one connection: Codec::make_decoder(). It must not block. The
// mistakes of codec.h cost its connection.
class ConnectionDecoder {
 public:
  virtual ~ConnectionDecoder() = default;

  // Loop thread. Looks at `input`: all bytes that have arrived and were not consumed, borrowed for
  // the call. It may change them: what it has not consumed it sees again as it has left it, with
  // more behind. `ended`: no more will come. It is called again until it needs more bytes
  // (kIncomplete with nothing consumed), or says kEnd, kFatal or kGoodbye.
  //
  // A request is a job of its own. The next frame is asked for when its reply has left; if the
  // codec decodes_ahead(), or with Ordering::kPipelined or kUnordered, before. Bytes behind a
  // request must not be consumed with it: an answer may switch to another codec.
  //
  // It must refuse frames longer than `frame_bytes_max`, with Failure::kTooLong, before it has
  // gathered them.
  virtual void decode(std::span<char> input, bool ended, size_t frame_bytes_max,
                      DecodedFrame& out) = 0;

  // Loop thread. Bytes that it keeps between two calls; they count against the budget. Over
  // `frame_bytes_max` by more than 64 KiB is a mistake.
  virtual size_t bytes_held() const { return 0; }
  // Loop thread. It is in the midst of a frame, although no byte of it may wait in the input: then
  // `Limits::request_time_max` runs.
  virtual bool is_in_frame() const { return bytes_held() > 0; }
};

}}  // namespace trireme
