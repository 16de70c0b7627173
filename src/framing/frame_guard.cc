#include "framing/frame_guard.h"

#include "framing/tested_codec.h"

namespace trireme { inline namespace v0 {

bool is_tested(const Codec& codec) { return dynamic_cast<const TestedCodec*>(&codec) != nullptr; }

const char* mistake_in(const DecodedFrame& frame, std::string_view input, bool ended,
                       size_t frame_bytes_max, size_t bytes_held) {
  const size_t limit = frame_bytes_limit(frame_bytes_max);
  if (frame.owned.size() > limit) return "its frame is longer than frame_bytes_max";
  if (bytes_held > limit) return "it keeps more than frame_bytes_max";
  if (frame.reply.size() > limit || frame.at_once.size() > limit)
    return "what it answers by itself is longer than frame_bytes_max";
  Frame base = frame;
  if (!frame.owned.empty()) base.payload = {};  // which nobody looks at
  if (base.kind == Frame::Kind::kGoodbye) base.kind = Frame::Kind::kRefused;
  if (base.kind == Frame::Kind::kPart) base.kind = Frame::Kind::kRequest;
  return mistake_in(base, input, ended, frame_bytes_max);
}

const char* mistake_in(const Frame& frame, std::string_view input, bool ended,
                       size_t frame_bytes_max) {
  if (frame.consumed > input.size()) return "it consumed more than there was";
  const size_t limit = frame_bytes_limit(frame_bytes_max);
  switch (frame.kind) {
    case Frame::Kind::kIncomplete:
      if (input.size() - frame.consumed <= limit) return nullptr;
      return "it waits for more, with more than frame_bytes_max in front of it";
    case Frame::Kind::kRequest:
      if (frame.consumed > limit) return "its frame is longer than frame_bytes_max";
      // An empty payload may be of anywhere: nobody looks at it.
      if (frame.payload.empty() || lies_in(frame.payload, input.data(), frame.consumed)) {
        return nullptr;
      }
      return "its payload lies outside of the bytes that it consumed";
    case Frame::Kind::kRefused:
    case Frame::Kind::kFatal:
      return nullptr;
    case Frame::Kind::kEnd:
      return ended ? nullptr : "it told the end of a stream that has not ended";
    case Frame::Kind::kSkip:
      return frame.consumed > 0 ? nullptr : "it skips, and consumes nothing";
    case Frame::Kind::kPart:  // DecodedFrame, whose owner sees whether there is a body
    case Frame::Kind::kGoodbye:
      break;
  }
  return "its frame is of no kind";
}

}}  // namespace trireme
