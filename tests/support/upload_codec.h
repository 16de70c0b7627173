// A protocol of lines, some of which have a body behind them:
//
//   PUT 12      and 12 bytes: the handler starts with the line, and reads them as they come
//   KEEP 12     and 12 bytes: the handler starts when all are there
//   PIECES      and pieces, each a line with its size and its bytes; the last one is empty. The
//               server says `go`; the handler starts with the line
//   all else    a request without a body
//
// An answer is a line. An error is `ERR sentence`, of a server with too much to do `BUSY`.
#pragma once

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "trireme/codec.h"

namespace support {

// Of a body, different at every place, so that nothing lost, doubled or moved goes unseen.
inline char body_byte(uint64_t place) { return static_cast<char>(place * 131 + place / 251); }
inline std::string body_bytes(uint64_t bytes) {
  std::string body(bytes, '\0');
  for (uint64_t i = 0; i < bytes; ++i) body[i] = body_byte(i);
  return body;
}

class UploadDecoder final : public trireme::ConnectionDecoder {
 public:
  using Frame = trireme::Frame;

  void decode(std::span<char> input, bool ended, size_t frame_bytes_max,
              trireme::DecodedFrame& out) override {
    const std::string_view bytes(input.data(), input.size());
    if (left_ > 0 && !bytes.empty()) return take_part(bytes, out);
    const size_t end = bytes.find('\n');
    if (left_ > 0 || end == std::string_view::npos) {
      if (bytes.size() > frame_bytes_max) return refuse("too long", bytes.size(), out);
      if (ended) out.kind = Frame::Kind::kEnd;
      if (ended) out.consumed = bytes.size();
      return;
    }
    const std::string_view line = bytes.substr(0, end);
    if (line.size() > frame_bytes_max) return refuse("too long", end + 1, out);
    out.consumed = end + 1;
    if (is_in_pieces_) return begin_piece(line, out);
    out.kind = Frame::Kind::kRequest;
    out.payload = line;
    if (line.starts_with("PUT ")) {
      begin(trireme::BodyMode::kStreamed, line.substr(4), out);
    } else if (line.starts_with("KEEP ")) {
      begin(trireme::BodyMode::kGathered, line.substr(5), out);
    } else if (line == "PIECES") {
      out.body = trireme::BodyMode::kStreamed;
      out.reply = "go\n";
      is_in_pieces_ = true;
    }
  }
  bool is_in_frame() const override { return left_ > 0 || is_in_pieces_; }

 private:
  static bool read(std::string_view text, uint64_t& number) {
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    return error == std::errc() && end == text.data() + text.size();
  }
  static void refuse(std::string_view sentence, size_t consumed, trireme::DecodedFrame& out) {
    out.kind = Frame::Kind::kFatal;
    out.payload = sentence;
    out.consumed = consumed;
  }
  void begin(trireme::BodyMode mode, std::string_view size, trireme::DecodedFrame& out) {
    if (!read(size, left_)) return refuse("no size", out.consumed, out);
    out.body = mode;
    out.ends_body = left_ == 0;
    out.request_kind = 1;
  }
  void begin_piece(std::string_view size, trireme::DecodedFrame& out) {
    if (!read(size, left_)) return refuse("no size", out.consumed, out);
    out.kind = Frame::Kind::kPart;
    out.ends_body = left_ == 0;
    is_in_pieces_ = !out.ends_body;
  }
  void take_part(std::string_view bytes, trireme::DecodedFrame& out) {
    out.kind = Frame::Kind::kPart;
    out.payload = bytes.substr(0, left_);
    out.consumed = out.payload.size();
    left_ -= out.consumed;
    out.ends_body = left_ == 0 && !is_in_pieces_;
  }

  uint64_t left_ = 0;  // of the body, or of its piece
  bool is_in_pieces_ = false;
};

class UploadCodec final : public trireme::Codec {
 public:
  std::unique_ptr<trireme::ConnectionDecoder> make_decoder() const override {
    return std::make_unique<UploadDecoder>();
  }
  bool marks_streams() const override { return true; }
  trireme::Envelope envelope(size_t) const override {
    trireme::Envelope around;
    around.tail[0] = '\n';
    around.tail_bytes = 1;
    return around;
  }
  bool has_fixed_envelope() const override { return true; }
  trireme::ErrorReply error_reply(const trireme::FailedRequest& failed) const override {
    if (failed.failure == trireme::Failure::kBusy) return {.body = "BUSY"};
    return {.body = "ERR " + std::string(failed.sentence)};
  }
};

inline std::shared_ptr<const trireme::Codec> upload_codec() {
  return std::make_shared<UploadCodec>();
}

}  // namespace support
