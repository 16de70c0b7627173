// The codec of one connection, with what it remembers between two calls. Codecs that make decoders
// of their own are asked in framing/guarded_decoder.h.
//
// Step 3. Thread: the holder of the loop. It knows no connection: bytes in, frames out. A codec is
// the user's code that meets the bytes of hostile clients, so what it finds is believed only after
// a look at it. A mistake - it throws, it breaks a rule of trireme/codec.h - is told to the caller,
// who ends the connection. Bounded: 25 bytes a connection; kEmptyFramesMax frames that consume
// nothing.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "framing/frame_guard.h"
#include "trireme/codec.h"

namespace trireme { inline namespace v0 {

// What a listener asks of frames.
struct FrameRules {
  size_t frame_bytes_max = 0;
  const Codec* tested_codec = nullptr;  // whose frames may be believed; null: nobody's
};

// What a decoder has to tell besides a frame, which is seldom.
struct DecodeNotes {
  std::string mistake;     // of the codec: nothing of what it said counts, nothing was consumed
  bool lost_part = false;  // the stream ends in a request of which the codec has kept no byte
};

class CheckedDecoder {
 public:
  void use(const Codec* codec) {
    codec_ = codec;
    state_ = {};
    empty_frames_ = 0;
  }
  const Codec* codec() const { return codec_; }
  const DecodeState& state() const { return state_; }
  // Requests behind this state are decoded again.
  void go_back_to(const DecodeState& state) { state_ = state; }
  // In the midst of a frame, although no byte of it may be there.
  bool is_in_frame() const { return state_.flags != 0; }
  // The latest frame has consumed nothing.
  bool stands_still() const { return empty_frames_ != 0; }

  // What is at the front of `input`. Of a request at most `consumed_max` bytes may be consumed:
  // what there is, and not over the limit. After a mistake: kEnd, and the mistake in `notes`.
  Frame decode(const FrameRules& rules, std::string_view input, bool ended, size_t consumed_max,
               DecodeNotes& notes);
  // The requests that follow the first of a job. 0: there are none, or the codec has made a
  // mistake.
  size_t decode_requests(const FrameRules& rules, std::string_view input, bool ended, uint32_t kind,
                         std::span<DecodedRequest> into, DecodeNotes& notes);

 private:
  // Requests and refusals of one connection, one after the other, without a byte consumed. One may
  // make sense: the first byte is looked at, and the answer switches to the codec that it asks for.
  static constexpr uint8_t kEmptyFramesMax = 16;

  Frame ask(const FrameRules& rules, std::string_view input, bool ended, DecodeNotes& notes);
  void judge(const FrameRules& rules, std::string_view input, bool ended, Frame& frame,
             DecodeNotes& notes);
  static void note_thrown(const char* function, DecodeNotes& notes);

  const Codec* codec_ = nullptr;
  DecodeState state_;
  uint8_t empty_frames_ = 0;  // the latest ones: they have consumed nothing
};

// Inlined, for every request pays for them.

[[gnu::always_inline]] inline Frame CheckedDecoder::ask(const FrameRules& rules,
                                                        std::string_view input, bool ended,
                                                        DecodeNotes& notes) {
  try {
    return codec_->decode(state_, input, ended, rules.frame_bytes_max);
  } catch (...) {
    note_thrown("decode()", notes);
    return {.kind = Frame::Kind::kEnd};
  }
}

[[gnu::always_inline]] inline Frame CheckedDecoder::decode(const FrameRules& rules,
                                                           std::string_view input, bool ended,
                                                           size_t consumed_max,
                                                           DecodeNotes& notes) {
  Frame frame = ask(rules, input, ended, notes);
  const bool is_request = frame.kind == Frame::Kind::kRequest;
  const bool is_believed = codec_ == rules.tested_codec;
  if (is_request && (is_believed || is_sound_request(frame, input, consumed_max))) {
    empty_frames_ = 0;
  } else {
    judge(rules, input, ended, frame, notes);
  }
  return frame;
}

[[gnu::always_inline]] inline size_t CheckedDecoder::decode_requests(const FrameRules& rules,
                                                                     std::string_view input,
                                                                     bool ended, uint32_t kind,
                                                                     std::span<DecodedRequest> into,
                                                                     DecodeNotes& notes) {
  size_t found = 0;
  try {
    found = codec_->decode_requests(state_, input, ended, rules.frame_bytes_max, kind, into);
  } catch (...) {
    note_thrown("decode_requests()", notes);
    return 0;
  }
  if (found > into.size()) {
    notes.mistake = "decode_requests() found more than it was asked for";
    return 0;
  }
  if (codec_ != rules.tested_codec &&
      !follow_each_other(into.first(found), input, frame_bytes_limit(rules.frame_bytes_max))) {
    notes.mistake = "decode_requests() found what does not follow each other";
    return 0;
  }
  if (found > 0) empty_frames_ = 0;
  return found;
}

}}  // namespace trireme
