#include "framing/guarded_decoder.h"

#include <new>

#include "framing/frame_guard.h"
#include "runtime/thrown.h"

namespace trireme { inline namespace v0 {

GuardedDecoder::Result GuardedDecoder::decode(size_t frame_bytes_max, std::string_view input,
                                              bool ended, DecodedFrame& out, std::string& mistake) {
  size_t held = 0;
  try {
    // The bytes are those of a read buffer, or of a block: they only travel as a view.
    decoder_->decode({const_cast<char*>(input.data()), input.size()}, ended, frame_bytes_max, out);
    is_in_frame_ = decoder_->is_in_frame();
    held = decoder_->bytes_held();
  } catch (const std::bad_alloc&) {
    return Result::kNoMemory;
  } catch (...) {
    mistake = "its decoder threw: " + describe_thrown();
    return Result::kMistake;
  }
  const char* what = mistake_in(out, input, ended, frame_bytes_max, held);
  if (what == nullptr) what = judge(input, ended, out);
  if (what != nullptr) {
    mistake = what;
    return Result::kMistake;
  }
  return charge(held) ? Result::kFrame : Result::kNoMemory;
}

const char* GuardedDecoder::judge(std::string_view input, bool ended, DecodedFrame& frame) {
  const bool waits = frame.kind == Frame::Kind::kIncomplete || frame.kind == Frame::Kind::kEnd;
  if (waits || frame.consumed > 0) {
    empty_frames_ = 0;
  } else if (++empty_frames_ > kEmptyFramesMax) {
    return "it finds frame after frame and consumes nothing";
  }
  if (ended && frame.kind == Frame::Kind::kIncomplete && frame.consumed == 0) {
    frame.kind = Frame::Kind::kEnd;
    frame.consumed = input.size();
  }
  return nullptr;
}

bool GuardedDecoder::charge(size_t held) {
  if (held > charged_ && !budget_.charge(held - charged_)) return false;
  if (held < charged_) budget_.discharge(charged_ - held);
  charged_ = held;
  return true;
}

}}  // namespace trireme
