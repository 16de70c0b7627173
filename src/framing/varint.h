// Numbers as protobuf writes them (LEB128): 7 bits a byte, the least significant first, the upper
// bit says that more follow. Pure functions, any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace trireme { inline namespace v0 {

struct Varint {
  enum class Found : uint8_t { kNumber, kIncomplete, kMalformed };
  Found found = Found::kIncomplete;
  uint8_t bytes = 0;
  uint64_t number = 0;
  bool is_overlong = false;  // its last byte adds nothing
};

// The greatest number that `bytes_max` bytes are used for: 5 are 32 bits, 10 are 64.
constexpr uint64_t varint_max(unsigned bytes_max) {
  if (bytes_max >= 10) return UINT64_MAX;
  return bytes_max == 5 ? UINT32_MAX : (uint64_t{1} << (7 * bytes_max)) - 1;
}

// The number at the front of `input`. One that is longer, or greater, is malformed.
inline Varint read_varint(std::string_view input, unsigned bytes_max) {
  Varint read;
  for (unsigned i = 0; i < bytes_max; ++i) {
    if (i == input.size()) return {};
    const uint64_t byte = static_cast<unsigned char>(input[i]);
    if (i == 9 && byte > 1) break;  // beyond 64 bits
    read.number |= (byte & 0x7f) << (7 * i);
    if (byte >= 0x80) continue;
    if (read.number > varint_max(bytes_max)) break;
    read.found = Varint::Found::kNumber;
    read.bytes = static_cast<uint8_t>(i + 1);
    read.is_overlong = byte == 0 && i > 0;
    return read;
  }
  return {.found = Varint::Found::kMalformed};
}

// Writes `number` to `into`, which has room for 10 bytes. Returns how many they are.
inline uint8_t write_varint(uint64_t number, char* into) {
  uint8_t bytes = 0;
  for (; number >= 0x80; number >>= 7) into[bytes++] = static_cast<char>(number | 0x80);
  into[bytes++] = static_cast<char>(number);
  return bytes;
}

}}  // namespace trireme
