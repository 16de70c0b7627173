#include "framing/checked_decoder.h"

#include "runtime/thrown.h"

namespace trireme { inline namespace v0 {

// A frame that is not a request of the usual kind: it is what the codec meant, or a mistake.
void CheckedDecoder::judge(const FrameRules& rules, std::string_view input, bool ended,
                           Frame& frame, DecodeNotes& notes) {
  if (!notes.mistake.empty()) return;  // the codec threw
  const char* mistake = mistake_in(frame, input, ended, rules.frame_bytes_max);
  const bool waits = frame.kind == Frame::Kind::kIncomplete || frame.kind == Frame::Kind::kEnd;
  if (waits || frame.consumed > 0) {
    empty_frames_ = 0;
  } else if (++empty_frames_ > kEmptyFramesMax && mistake == nullptr) {
    mistake = "it finds frame after frame and consumes nothing";
  }
  if (mistake != nullptr) {
    notes.mistake = mistake;
    frame = {.kind = Frame::Kind::kEnd};
  } else if (ended && frame.kind == Frame::Kind::kIncomplete && frame.consumed == 0) {
    notes.lost_part = input.empty() && is_in_frame();
    frame = {.kind = Frame::Kind::kEnd, .consumed = input.size()};
  }
}

// In a catch block.
void CheckedDecoder::note_thrown(const char* function, DecodeNotes& notes) {
  notes.mistake = std::string(function) + " threw: " + describe_thrown();
}

}}  // namespace trireme
