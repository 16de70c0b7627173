// PROXY headers of version 2, right and wrong ones.
#pragma once

#include <arpa/inet.h>

#include <cstdint>
#include <string>
#include <string_view>

#include "framing/proxy_header.h"

namespace support {

inline const std::string kProxySignature("\r\n\r\n\0\r\nQUIT\n", 12);

inline std::string big_endian(uint64_t value, int bytes) {
  std::string text;
  for (int shift = 8 * (bytes - 1); shift >= 0; shift -= 8)
    text += static_cast<char>(value >> shift & 0xff);
  return text;
}

// `command`: version and command, 0x21 PROXY, 0x20 LOCAL. `body`: addresses and TLVs.
inline std::string v2(uint8_t family, const std::string& body, uint8_t command = 0x21) {
  return kProxySignature + static_cast<char>(command) + static_cast<char>(family) +
         big_endian(body.size(), 2) + body;
}

inline std::string tlv(uint8_t type, std::string_view value) {
  return static_cast<char>(type) + big_endian(value.size(), 2) + std::string(value);
}

// To port 443 of some host.
inline std::string block4(const char* source, uint16_t port) {
  in_addr from{}, to{};
  inet_pton(AF_INET, source, &from);
  inet_pton(AF_INET, "198.51.100.7", &to);
  return std::string(reinterpret_cast<char*>(&from), 4) +
         std::string(reinterpret_cast<char*>(&to), 4) + big_endian(port, 2) + big_endian(443, 2);
}

inline std::string block6(const char* source, uint16_t port) {
  in6_addr from{}, to{};
  inet_pton(AF_INET6, source, &from);
  inet_pton(AF_INET6, "::1", &to);
  return std::string(reinterpret_cast<char*>(&from), 16) +
         std::string(reinterpret_cast<char*>(&to), 16) + big_endian(port, 2) + big_endian(443, 2);
}

// With a right CRC32C between `before` and `behind`.
inline std::string with_crc(uint8_t family, const std::string& before, const std::string& behind) {
  std::string header = v2(family, before + tlv(0x03, std::string(4, '\0')) + behind);
  header.replace(16 + before.size() + 3, 4, big_endian(trireme::crc32c(header), 4));
  return header;
}

}  // namespace support
