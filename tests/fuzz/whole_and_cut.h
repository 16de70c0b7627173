// What fuzz targets of codecs share: a stream that comes at once and the same stream in pieces are
// the same frames. Aborts where they are not, and where a frame breaks a rule of trireme/codec.h.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "framing/codec_feed.h"
#include "framing/frame_guard.h"
#include "runtime/system/random.h"
#include "trireme/codec.h"

namespace fuzz {

inline void require(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "fuzz: %s\n", what);
  std::abort();
}

// The first bytes of an input say how it is run, the rest is the stream.
class Input {
 public:
  Input(const uint8_t* data, size_t size) : rest_(reinterpret_cast<const char*>(data), size) {}

  // Up to 8 bytes, the least significant first; 0 behind the end.
  uint64_t number(size_t bytes) {
    uint64_t value = 0;
    for (size_t i = 0; i < bytes && !rest_.empty(); ++i) {
      value |= uint64_t{static_cast<unsigned char>(rest_.front())} << (8 * i);
      rest_.remove_prefix(1);
    }
    return value;
  }
  std::string_view rest() const { return rest_; }

 private:
  std::string_view rest_;
};

// The frames as text: one that differs is easily seen.
inline void add(std::string& frames, const trireme::Frame& frame) {
  using Kind = trireme::Frame::Kind;
  if (frame.kind == Kind::kIncomplete || frame.kind == Kind::kSkip) return;
  if (frame.kind == Kind::kEnd && frame.consumed == 0) return;
  frames += "=!x."[static_cast<size_t>(frame.kind) - static_cast<size_t>(Kind::kRequest)];
  frames += std::to_string(frame.request_kind) + ":" + std::string(frame.payload) + "\n";
}

// Null for `random`: in one piece.
inline std::string decode(const trireme::Codec& codec, std::string_view stream,
                          size_t frame_bytes_max, trireme::Random* random) {
  using Kind = trireme::Frame::Kind;
  trireme::DecodeState state;
  std::string frames;
  std::string waiting;
  for (bool ended = false; !ended;) {
    const size_t piece =
        random == nullptr ? stream.size() : std::min<size_t>(stream.size(), 1 + random->below(7));
    waiting += stream.substr(0, piece);
    stream.remove_prefix(piece);
    ended = stream.empty();
    for (bool more = true; more;) {
      // In memory of its own size: the sanitizer sees what is read behind it.
      const std::vector<char> input(waiting.begin(), waiting.end());
      const std::string_view view(input.data(), input.size());
      const trireme::Frame frame = codec.decode(state, view, ended, frame_bytes_max);
      const char* mistake = trireme::mistake_in(frame, view, ended, frame_bytes_max);
      require(mistake == nullptr, mistake);
      add(frames, frame);
      waiting.erase(0, frame.consumed);
      if (frame.kind == Kind::kEnd || frame.kind == Kind::kFatal) return frames;
      more = frame.kind != Kind::kIncomplete || frame.consumed > 0;
      require(!more || frame.consumed > 0, "a frame that consumes nothing");
    }
  }
  return frames;
}

inline void whole_and_cut(const trireme::Codec& codec, std::string_view stream,
                          size_t frame_bytes_max, uint64_t seed) {
  const std::string whole = decode(codec, stream, frame_bytes_max, nullptr);
  trireme::Random random(seed);
  const std::string cut = decode(codec, stream, frame_bytes_max, &random);
  if (whole == cut) return;
  std::fprintf(stderr, "whole:\n%s\ncut:\n%s\n", whole.c_str(), cut.c_str());
  require(false, "the frames depend on where the stream is cut");
}

// The same for a codec with decoders.
inline void whole_and_cut_decoder(const trireme::Codec& codec, std::string_view stream,
                                  size_t frame_bytes_max, uint64_t seed) {
  trireme::CodecFeed whole(codec, frame_bytes_max), cut(codec, frame_bytes_max);
  whole.take(stream, false);
  whole.take({}, true);
  trireme::Random random(seed);
  for (std::string_view rest = stream; !rest.empty();) {
    const size_t piece = std::min<size_t>(rest.size(), 1 + random.below(7));
    cut.take(rest.substr(0, piece), piece == rest.size());
    rest.remove_prefix(piece);
  }
  cut.take({}, true);
  require(whole.mistake().empty(), whole.mistake().c_str());
  require(cut.mistake().empty(), cut.mistake().c_str());
  if (whole.frames() == cut.frames()) return;
  std::fprintf(stderr, "whole:\n%s\ncut:\n%s\n", whole.frames().c_str(), cut.frames().c_str());
  require(false, "the frames depend on where the stream is cut");
}

}  // namespace fuzz
