// A codec and a stream that comes in pieces, as a connection feeds it, with every rule of
// trireme/codec.h looked at: for the conformance test and for fuzz targets.
//
// Step 3, for tests. Thread: one at a time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "runtime/system/random.h"
#include "trireme/codec.h"

namespace trireme { inline namespace v0 {

class CodecFeed {
 public:
  // `batches` is not null: requests behind a request are taken by decode_requests(), as many at
  // once as it says.
  CodecFeed(const Codec& codec, size_t frame_bytes_max, Random* batches = nullptr);

  // The next bytes; `ended`: they are the last ones. Nothing behind a fatal frame, the end or a
  // mistake.
  void take(std::string_view piece, bool ended);

  // Every frame so far, one a line.
  const std::string& frames() const { return frames_; }
  const std::vector<std::string>& requests() const { return requests_; }
  // Empty: none so far.
  const std::string& mistake() const { return mistake_; }
  bool is_over() const { return is_over_; }

 private:
  void pump(std::string_view& input, bool ended);
  void pump_decoder(std::string_view& input, bool ended);
  DecodedFrame ask_decoders(std::string_view input, bool ended);
  bool take_frame(const Frame& frame, std::string_view input, bool ended);
  void note_body(BodyMode mode, bool is_empty);
  bool take_part(std::string_view part, bool is_last);
  Frame decode(std::string_view input, bool ended);
  size_t take_batch(std::string_view input, bool ended, uint32_t kind);
  void add_request(std::string_view payload, uint32_t kind);
  void fail(std::string sentence);

  const Codec& codec_;
  const size_t frame_bytes_max_;
  Random* const batches_;
  DecodeState state_;
  // Of a codec that makes them: two, which must find the same.
  std::unique_ptr<ConnectionDecoder> decoder_, twin_;
  std::string waiting_;
  std::string frames_;
  std::vector<std::string> requests_;
  std::string body_;  // what has come of the one that is on its way
  std::string mistake_;
  bool is_over_ = false, is_in_body_ = false;
  int standing_ = 0;  // frames in a row that have consumed nothing
};

}}  // namespace trireme
