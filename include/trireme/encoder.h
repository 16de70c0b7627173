// Step 5, reply: what a codec is asked to frame, where an envelope that knows the size of an answer
// is not enough.
//
// Thread: any; values.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "trireme/frame.h"

namespace trireme { inline namespace v0 {

// A reply, or a push, on its way out. All of it is borrowed for the call.
struct OutgoingReply {
  ReplyTag tag{};           // of the request; of a push: zeros
  std::string_view head{};  // Answer::with_head(): what the handler tells the codec
  std::string_view body{};  // empty if its bytes are elsewhere, as those of a file are
  uint64_t body_bytes = 0;
  bool is_push = false;
  // The connection ends behind it, as far as is known.
  bool closes = false;
};

// What goes around its body. The strings come empty, mostly with memory of earlier replies.
struct EncodedReply {
  static constexpr size_t kHeadBytesMax = 16 << 10;
  static constexpr size_t kTailBytesMax = 256;

  std::string head{};       // at most kHeadBytesMax: more is a mistake of the codec
  std::string tail{};       // at most kTailBytesMax
  bool drops_body = false;  // the body does not leave: the reply to a HEAD request
  bool closes = false;      // the connection ends in good order behind it
};

}}  // namespace trireme
