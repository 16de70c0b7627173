// The codec `lines`: "\n" or "\r\n" ends a request. A bare "\r" is an ordinary byte, and so is NUL.
#include <cstring>

#include "framing/tested_codec.h"
#include "trireme/codec.h"

namespace trireme { inline namespace v0 {
namespace {

constexpr uint64_t kSkippingLine = 1;  // DecodeState::flags: the rest of a line that was too long

class LinesCodec final : public TestedCodec {
 public:
  Frame decode(DecodeState& state, std::string_view input, bool ended,
               size_t frame_bytes_max) const override {
    const size_t from = std::min(state.scanned, input.size());
    const void* found =
        input.empty() ? nullptr : std::memchr(input.data() + from, '\n', input.size() - from);
    if (found == nullptr) [[unlikely]]
      return unterminated(state, input, ended, frame_bytes_max);
    const auto length = static_cast<size_t>(static_cast<const char*>(found) - input.data());
    state.scanned = 0;
    if (state.flags & kSkippingLine) [[unlikely]] {
      state.flags = 0;
      return {.kind = Frame::Kind::kSkip, .consumed = length + 1};
    }
    std::string_view line = input.substr(0, length);
    if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
    if (line.size() > frame_bytes_max) [[unlikely]]
      return too_long(length + 1);
    return {.kind = Frame::Kind::kRequest, .consumed = length + 1, .payload = line};
  }

  size_t decode_requests(DecodeState& state, std::string_view input, bool ended,
                         size_t frame_bytes_max, uint32_t kind,
                         std::span<DecodedRequest> into) const override {
    if (state.flags != 0 || kind != 0) {
      return Codec::decode_requests(state, input, ended, frame_bytes_max, kind, into);
    }
    const char* begin = input.data();
    const char* const end = begin + input.size();
    size_t scanned = std::min(state.scanned, input.size());
    size_t count = 0;
    while (count < into.size() && begin < end) {
      const auto rest = static_cast<size_t>(end - begin);
      const void* found = std::memchr(begin + scanned, '\n', rest - scanned);
      if (found == nullptr) break;
      const auto* newline = static_cast<const char*>(found);
      const bool returns = newline > begin && newline[-1] == '\r';
      const auto bytes = static_cast<size_t>(newline - begin) - (returns ? 1 : 0);
      if (bytes > frame_bytes_max) break;
      into[count++] = {std::string_view(begin, bytes), newline + 1, DecodeState(), 0};
      begin = newline + 1;
      scanned = 0;
    }
    if (count > 0) state.scanned = 0;
    return count;
  }

  Envelope envelope(size_t) const override {
    Envelope envelope;
    envelope.tail[0] = '\n';
    envelope.tail_bytes = 1;
    return envelope;
  }
  bool has_fixed_envelope() const override { return true; }
  bool is_text() const override { return true; }
  ErrorReply error_reply(const FailedRequest& failed) const override {
    if (failed.failure == Failure::kBusy) return {.body = "BUSY"};
    return {.body = "ERR " + std::string(failed.sentence)};
  }

 private:
  static Frame too_long(size_t consumed) {
    return {.kind = Frame::Kind::kRefused,
            .consumed = consumed,
            .payload = "the line is too long",
            .failure = Failure::kTooLong};
  }

  static Frame unterminated(DecodeState& state, std::string_view input, bool ended,
                            size_t frame_bytes_max) {
    if (state.flags & kSkippingLine) {
      // The client has its answer to that line: at the end nothing of it is left to drop.
      if (ended && input.empty()) return {.kind = Frame::Kind::kEnd};
      if (ended) return {.kind = Frame::Kind::kSkip, .consumed = input.size()};
      return {.kind = Frame::Kind::kIncomplete, .consumed = input.size()};
    }
    // One byte more than the limit may be the "\r" of a line that is just short enough.
    if (input.size() > frame_bytes_max + 1) {
      state.scanned = 0;
      state.flags = kSkippingLine;
      return too_long(input.size());
    }
    if (ended) return {.kind = Frame::Kind::kEnd, .consumed = input.size()};
    state.scanned = input.size();
    return {.kind = Frame::Kind::kIncomplete};
  }
};

}  // namespace

std::shared_ptr<const Codec> lines() {
  static const auto& codec = *new std::shared_ptr<const Codec>(std::make_shared<LinesCodec>());
  return codec;  // one immutable object for all: it has no state
}

}}  // namespace trireme
