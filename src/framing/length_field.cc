#include "framing/length_field.h"

#include <algorithm>

namespace trireme { inline namespace v0 {

LengthField::LengthField(const Layout& layout)
    : layout_(layout), head_bytes_(size_t{layout.offset} + layout.width) {
  const int64_t head = static_cast<int64_t>(head_bytes_);
  const int64_t extra = int64_t{layout.adjustment} + (layout.includes_head ? 0 : head);
  const int64_t frame_bytes_min = std::max<int64_t>(head, layout.strip);
  extra_ = static_cast<uint64_t>(extra);
  least_ = static_cast<uint64_t>(std::max<int64_t>(0, frame_bytes_min - extra));
  beside_ = layout.strip - extra;
}

// Fewer bytes than a word are there: one by one.
uint64_t LengthField::read_at_the_end(const char* field) const {
  uint64_t length = 0;
  for (unsigned i = 0; i < layout_.width; ++i) {
    const uint64_t byte = static_cast<unsigned char>(field[i]);
    length = layout_.is_little ? length | byte << (8 * i) : length << 8 | byte;
  }
  return length;
}

uint64_t LengthField::payload_bytes_max() const {
  const uint64_t longest = UINT64_MAX >> (64 - 8u * layout_.width);
  if (longest >= kPayloadBytesMax) return kPayloadBytesMax;
  return static_cast<uint64_t>(std::max<int64_t>(0, static_cast<int64_t>(longest) - beside_));
}

bool LengthField::put_head(uint64_t payload_bytes, char* head) const {
  if (payload_bytes > payload_bytes_max()) return false;
  const int64_t length = static_cast<int64_t>(payload_bytes) + beside_;
  if (length < static_cast<int64_t>(least_)) return false;
  std::memset(head, 0, layout_.strip);
  const unsigned beyond = 64 - 8u * layout_.width;
  uint64_t word =
      layout_.is_little ? static_cast<uint64_t>(length) : static_cast<uint64_t>(length) << beyond;
  if (layout_.is_little != (std::endian::native == std::endian::little)) {
    word = __builtin_bswap64(word);
  }
  std::memcpy(head + layout_.offset, &word, layout_.width);
  return true;
}

}}  // namespace trireme
