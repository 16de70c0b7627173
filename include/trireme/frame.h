// Step 3, framing: what a codec finds in the bytes of a client, what it attaches to a request, and
// what it is told when that request has failed.
//
// Thread: any; values.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>
#include <type_traits>

namespace trireme { inline namespace v0 {

// Why a request has no proper answer.
enum class Failure : uint8_t {
  kHandler,   // the handler has said so: error("sentence")
  kInternal,  // the handler has thrown, or dropped its Reply; the sentence tells nothing about it
  kDeadline,  // ListenOptions::handler_time_max
  kBusy,      // refused because of load: busy()
  kRefused,   // the codec has refused the frame
  kTooLong,   // likewise: it is longer than frame_bytes_max
  kTimeout,   // the rest of a request that is read in parts has not come in time
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
    // Of a decoder of its own only (decoder.h): the client has ended the conversation in the way of
    // its protocol. Replies to earlier requests leave, then the connection ends.
    kGoodbye,
    // Likewise: `payload` is the next part of the body of the request before, which was found with
    // a DecodedFrame::body. It may be empty.
    kPart,
  };
  Kind kind = Kind::kIncomplete;
  size_t consumed = 0;  // bytes to take off the front of the input
  // kRequest: inside the consumed bytes, or empty. kRefused and kFatal: static text.
  std::string_view payload{};
  // A tag of the kind of request, for statistics and placement. Tags over 14 share one record.
  uint32_t request_kind = 0;
  // kRefused and kFatal: kRefused or kTooLong, for Codec::error_reply.
  Failure failure = Failure::kRefused;
};

// Up to 16 bytes that a decoder leaves with a request, and that come back with its reply: a number
// that correlates the two, the version of a protocol, whether the connection lives on.
class ReplyTag {
 public:
  ReplyTag() = default;  // zeros

  // Any thread. The bytes of a value, and a value of the bytes; behind a smaller one are zeros.
  template <class T>
  requires(sizeof(T) <= 16 && std::is_trivially_copyable_v<T>) static ReplyTag of(const T& value) {
    ReplyTag tag;
    std::memcpy(tag.bytes_.data(), &value, sizeof(value));
    return tag;
  }
  template <class T>
  requires(sizeof(T) <= 16 && std::is_trivially_copyable_v<T>) T as()
  const {
    T value;
    std::memcpy(&value, bytes_.data(), sizeof(value));
    return value;
  }

  friend bool operator==(const ReplyTag&, const ReplyTag&) = default;

 private:
  std::array<unsigned char, 16> bytes_{};
};

// A request that has no proper answer, as its codec is told of it.
struct FailedRequest {
  Failure failure = Failure::kInternal;
  // Borrowed for the call. One line, whatever the handler gave. Of busy(): "busy".
  std::string_view sentence{};
  ReplyTag tag{};     // of the request; of a frame that was refused, as the decoder has set it
  uint32_t code = 0;  // DecodedFrame::code, or that of error(sentence, code); 0: none was given
};

}}  // namespace trireme
