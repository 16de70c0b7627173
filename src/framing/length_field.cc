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
  const uint64_t longest = std::min(UINT64_MAX >> (64 - 8u * layout.width), kPayloadBytesMax);
  const int64_t least = std::max<int64_t>(0, static_cast<int64_t>(least_) - beside_);
  payload_bytes_min_ = static_cast<uint64_t>(least);
  payload_bytes_span_ =
      static_cast<uint64_t>(std::max(least, static_cast<int64_t>(longest) - beside_) - least);
}

// Fewer bytes than a word are there: one by one.
uint64_t LengthField::read_at_the_end(const char* field, uint8_t width, bool is_little) {
  uint64_t length = 0;
  for (unsigned i = 0; i < width; ++i) {
    const uint64_t byte = static_cast<unsigned char>(field[i]);
    length = is_little ? length | byte << (8 * i) : length << 8 | byte;
  }
  return length;
}

}}  // namespace trireme
