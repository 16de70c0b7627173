// Where a frame ends whose head holds its length: arithmetic only, no codec.
//
// Step 3. Thread: any; immutable. A hostile length is a number and nothing else.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

#include "trireme/codec.h"

namespace trireme { inline namespace v0 {

class LengthField {
 public:
  // As in LengthPrefixOptions, of which all are good.
  struct Layout {
    uint8_t width = 4;
    bool is_little = false;
    uint8_t offset = 0;
    int32_t adjustment = 0;
    bool includes_head = false;
    uint8_t strip = 4;
  };

  static constexpr size_t kHeadBytes = 16;  // room for a head that is written

  enum class Found : uint8_t { kFrame, kIncomplete, kTooLong, kTooShort };
  struct Cut {
    Found found = Found::kIncomplete;
    size_t frame_bytes = 0;  // kFrame, and kIncomplete if the head is there; else 0
  };

  explicit LengthField(const Layout& layout);

  // The frame at the front of `input`, whose payload has at most `payload_bytes_max`.
  Cut cut(std::string_view input, size_t payload_bytes_max) const {
    if (input.size() < head_bytes_) return {};
    const uint64_t length = read(input);
    if (length < least_) return {Found::kTooShort, 0};
    if (length >= too_long(payload_bytes_max)) return {Found::kTooLong, 0};
    const size_t frame_bytes = static_cast<size_t>(length + extra_);
    return {frame_bytes <= input.size() ? Found::kFrame : Found::kIncomplete, frame_bytes};
  }
  // The same for frame after frame, with all that is known before in registers: it is a copy.
  class Cutter {
   public:
    Cutter(const LengthField& field, size_t payload_bytes_max)
        : offset_(field.layout_.offset),
          beyond_(64 - 8u * field.layout_.width),
          width_(field.layout_.width),
          is_little_(field.layout_.is_little),
          head_bytes_(field.head_bytes_),
          extra_(field.extra_),
          least_(field.least_) {
      const uint64_t too_long = field.too_long(payload_bytes_max);
      lengths_ = too_long > least_ ? too_long - least_ : 0;
    }
    // The bytes of the frame at `begin`, of which there are `bytes`; 0: it is not whole, or wrong.
    size_t whole_frame(const char* begin, size_t bytes) const {
      const uint64_t length = bytes >= offset_ + sizeof(uint64_t) ? read_word(begin + offset_)
                              : bytes >= head_bytes_
                                  ? read_at_the_end(begin + offset_, width_, is_little_)
                                  : UINT64_MAX;
      const auto frame_bytes = static_cast<size_t>(length + extra_);
      return length - least_ < lengths_ && frame_bytes <= bytes ? frame_bytes : 0;
    }

   private:
    uint64_t read_word(const char* field) const {
      uint64_t word;
      std::memcpy(&word, field, sizeof(word));
      if (is_little_ != (std::endian::native == std::endian::little))
        word = __builtin_bswap64(word);
      return is_little_ ? word << beyond_ >> beyond_ : word >> beyond_;
    }

    size_t offset_;
    unsigned beyond_;
    uint8_t width_;
    bool is_little_;
    size_t head_bytes_;
    uint64_t extra_, least_;
    uint64_t lengths_;  // so many of them, from the least on, are good
  };

  size_t head_bytes() const { return head_bytes_; }
  size_t strip() const { return layout_.strip; }
  // The length is among the bytes that are stripped, so that an answer needs one.
  bool is_stripped() const { return layout_.strip >= head_bytes_; }

  // The same as a recipe, for the server: all but the envelope's sizes. With is_stripped().
  void describe(EnvelopeRecipe& into) const {
    into.length_bytes = layout_.width;
    into.length_offset = layout_.offset;
    into.is_little = layout_.is_little;
    into.length_beside = beside_;
    into.body_bytes_min = payload_bytes_min_;
    into.body_bytes_max = payload_bytes_max();
  }

  // The most bytes that a payload can have. With is_stripped().
  uint64_t payload_bytes_max() const { return payload_bytes_min_ + payload_bytes_span_; }
  // Writes the head of a payload of so many bytes: strip() bytes, of which `head` has kHeadBytes,
  // all zero. With is_stripped(). False: the payload is too long, or too short, for a length.
  bool put_head(uint64_t payload_bytes, char* head) const;

 private:
  uint64_t read(std::string_view input) const;
  static uint64_t read_at_the_end(const char* field, uint8_t width, bool is_little);
  // The least length of a payload that is too long.
  uint64_t too_long(size_t payload_bytes_max) const {
    if (payload_bytes_max > kPayloadBytesMax) payload_bytes_max = kPayloadBytesMax;
    const int64_t length = static_cast<int64_t>(payload_bytes_max) + beside_ + 1;
    return length < 0 ? 0 : static_cast<uint64_t>(length);
  }

  static constexpr uint64_t kPayloadBytesMax = size_t{1} << 40;  // so that no sum overflows

  Layout layout_;
  size_t head_bytes_;  // up to the end of the length
  uint64_t extra_;     // a frame has so many bytes more than its length says, modulo 2^64
  uint64_t least_;     // a length below it makes a frame that does not hold its own head
  int64_t beside_;     // a length counts so many bytes more than there are in the payload
  uint64_t payload_bytes_min_, payload_bytes_span_;  // the least for which there is a length
};

inline uint64_t LengthField::read(std::string_view input) const {
  const char* const field = input.data() + layout_.offset;
  if (input.size() - layout_.offset < sizeof(uint64_t))
    return read_at_the_end(field, layout_.width, layout_.is_little);
  uint64_t word;
  std::memcpy(&word, field, sizeof(word));
  // The field is in the first bytes of the word: the upper ones of a big-endian number, the lower
  // ones of a little-endian number.
  if (layout_.is_little != (std::endian::native == std::endian::little)) {
    word = __builtin_bswap64(word);
  }
  const unsigned beyond = 64 - 8u * layout_.width;
  return layout_.is_little ? word << beyond >> beyond : word >> beyond;
}

inline bool LengthField::put_head(uint64_t payload_bytes, char* head) const {
  if (payload_bytes - payload_bytes_min_ > payload_bytes_span_) return false;
  const unsigned beyond = 64 - 8u * layout_.width;
  uint64_t word = payload_bytes + static_cast<uint64_t>(beside_);
  if (!layout_.is_little) word <<= beyond;
  if (layout_.is_little != (std::endian::native == std::endian::little)) {
    word = __builtin_bswap64(word);
  }
  // What is behind the field in the word is zero, as the head is.
  const size_t room = kHeadBytes - layout_.offset;
  if (room >= sizeof(word)) [[likely]] {
    std::memcpy(head + layout_.offset, &word, sizeof(word));
  } else {
    std::memcpy(head + layout_.offset, &word, layout_.width);
  }
  return true;
}

}}  // namespace trireme
