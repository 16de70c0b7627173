// SHA-1 (RFC 3174), for the handshake of WebSocket alone, where it protects nothing.
//
// Thread: any, pure.
#pragma once

#include <array>
#include <bit>
#include <cstdint>
#include <string>
#include <string_view>

namespace trireme { inline namespace v0 { namespace http {

inline std::array<uint8_t, 20> sha1(std::string_view text) {
  std::string padded(text);
  padded += static_cast<char>(0x80);
  while (padded.size() % 64 != 56) padded += '\0';
  for (int shift = 56; shift >= 0; shift -= 8) {
    padded += static_cast<char>(uint64_t{text.size()} * 8 >> shift);
  }
  std::array<uint32_t, 5> state = {0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0};
  for (size_t block = 0; block < padded.size(); block += 64) {
    std::array<uint32_t, 80> words{};
    for (size_t i = 0; i < 64; ++i) {
      words[i / 4] = words[i / 4] << 8 | static_cast<uint8_t>(padded[block + i]);
    }
    for (size_t i = 16; i < 80; ++i) {
      words[i] = std::rotl(words[i - 3] ^ words[i - 8] ^ words[i - 14] ^ words[i - 16], 1);
    }
    auto [a, b, c, d, e] = state;
    for (size_t i = 0; i < 80; ++i) {
      uint32_t f = 0, constant = 0;
      if (i < 20) {
        f = (b & c) | (~b & d), constant = 0x5a827999;
      } else if (i < 40) {
        f = b ^ c ^ d, constant = 0x6ed9eba1;
      } else if (i < 60) {
        f = (b & c) | (b & d) | (c & d), constant = 0x8f1bbcdc;
      } else {
        f = b ^ c ^ d, constant = 0xca62c1d6;
      }
      const uint32_t next = std::rotl(a, 5) + f + e + constant + words[i];
      e = d, d = c, c = std::rotl(b, 30), b = a, a = next;
    }
    state = {state[0] + a, state[1] + b, state[2] + c, state[3] + d, state[4] + e};
  }
  std::array<uint8_t, 20> digest{};
  for (size_t i = 0; i < digest.size(); ++i) {
    digest[i] = static_cast<uint8_t>(state[i / 4] >> (24 - i % 4 * 8));
  }
  return digest;
}

}}}  // namespace trireme::http
