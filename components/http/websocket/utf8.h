// UTF-8 of a text that comes in pieces (RFC 3629): no surrogates, no overlong forms, nothing beyond
// U+10FFFF; what is impossible is found at its first byte.
//
// Step 3, framing. Thread: any, pure.
#pragma once

#include <cstdint>
#include <cstring>
#include <string_view>

namespace trireme { inline namespace v0 { namespace http {

class Utf8 {
 public:
  // False: no text begins so. Then it is not called again.
  bool take(std::string_view piece) {
    const char* at = piece.data();
    const char* const end = at + piece.size();
    while (at < end) {
      if (left_ == 0) {
        at = skip_ascii(at, end);
        if (at == end) break;
      }
      if (!step(static_cast<unsigned char>(*at++))) return false;
    }
    return true;
  }
  // Whether the text may end here.
  bool is_whole() const { return left_ == 0; }
  void reset() { *this = Utf8(); }

 private:
  static const char* skip_ascii(const char* at, const char* end) {
    while (end - at >= 8) {
      uint64_t word;
      std::memcpy(&word, at, sizeof(word));
      if ((word & 0x8080808080808080ULL) != 0) break;
      at += 8;
    }
    while (at < end && static_cast<unsigned char>(*at) < 0x80) ++at;
    return at;
  }
  bool begin(uint8_t left, uint8_t low, uint8_t high) {
    left_ = left;
    low_ = low;
    high_ = high;
    return true;
  }
  bool step(uint8_t byte) {
    if (left_ > 0) {
      if (byte < low_ || byte > high_) return false;
      return begin(static_cast<uint8_t>(left_ - 1), 0x80, 0xbf);
    }
    if (byte < 0x80) return true;
    if (byte >= 0xc2 && byte <= 0xdf) return begin(1, 0x80, 0xbf);
    if (byte == 0xe0) return begin(2, 0xa0, 0xbf);
    if (byte == 0xed) return begin(2, 0x80, 0x9f);
    if (byte >= 0xe1 && byte <= 0xef) return begin(2, 0x80, 0xbf);
    if (byte == 0xf0) return begin(3, 0x90, 0xbf);
    if (byte >= 0xf1 && byte <= 0xf3) return begin(3, 0x80, 0xbf);
    if (byte == 0xf4) return begin(3, 0x80, 0x8f);
    return false;
  }

  uint8_t left_ = 0;                  // bytes of the character that are missing
  uint8_t low_ = 0x80, high_ = 0xbf;  // of the next of them
};

}}}  // namespace trireme::http
