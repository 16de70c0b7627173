#include "framing/proxy_tlvs.h"

#include <cstdint>
#include <string>
#include <utility>

#include "framing/proxy_header.h"

namespace trireme { inline namespace v0 {
namespace {

constexpr const char* kOverrun = "a TLV reaches behind its end";

enum Type : uint8_t {
  kAlpn = 0x01,
  kAuthority = 0x02,
  kCrc32c = 0x03,
  kUniqueId = 0x05,
  kSsl = 0x20,
  kSslVersion = 0x21,
  kSslCommonName = 0x22,
  kSslCipher = 0x23,
  kNetns = 0x30,
  kOwnFirst = 0xe0,  // of applications, as AWS and Azure use them
  kOwnLast = 0xef,
};

struct Tlv {
  uint8_t type = 0;
  size_t at = 0;  // of the value, in what was asked
  std::string_view value{};
};

// Takes the one at `at`. False: there is none, or it is cut; then `at` is not the end.
bool take(std::string_view bytes, size_t& at, Tlv& into) {
  constexpr size_t kHead = 3;
  if (bytes.size() - at < kHead) return false;
  const size_t length = size_t{byte_at(bytes, at + 1)} << 8 | byte_at(bytes, at + 2);
  if (bytes.size() - at - kHead < length) return false;
  into = {byte_at(bytes, at), at + kHead, bytes.substr(at + kHead, length)};
  at += kHead + length;
  return true;
}

std::string hex(std::string_view bytes) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string text;
  for (size_t i = 0; i < bytes.size(); ++i) {
    text += kDigits[byte_at(bytes, i) >> 4];
    text += kDigits[byte_at(bytes, i) & 15];
  }
  return text;
}

// The value counts as zeros.
const char* check_crc(std::string_view header, const Tlv& tlv) {
  if (tlv.value.size() != 4) return "its CRC32C has not 4 bytes";
  uint32_t told = 0;
  for (size_t i = 0; i < 4; ++i) told = told << 8 | byte_at(tlv.value, i);
  uint32_t crc = crc32c(header.substr(0, tlv.at));
  crc = crc32c(std::string_view("\0\0\0\0", 4), crc);
  crc = crc32c(header.substr(tlv.at + 4), crc);
  return crc == told ? nullptr : "its CRC32C is wrong";
}

// How the client of the proxy speaks to it.
const char* parse_ssl(std::string_view value, LayerFacts& into) {
  constexpr uint8_t kUsed = 1, kHasCertificate = 2 | 4;  // of the connection, or of its session
  if (value.size() < 5) return "its SSL TLV is too short";
  const uint8_t client = byte_at(value, 0);
  const bool verified = value.substr(1, 4) == std::string_view("\0\0\0\0", 4);
  into.add("proxy.tls", (client & kUsed) != 0 ? "1" : "0");
  if ((client & kHasCertificate) != 0) into.add("proxy.tls.verified", verified ? "1" : "0");
  Tlv tlv;
  size_t at = 5;
  while (take(value, at, tlv)) {
    if (tlv.type == kSslVersion) into.add("proxy.tls.version", std::string(tlv.value));
    if (tlv.type == kSslCommonName) into.add("proxy.tls.cn", std::string(tlv.value));
    if (tlv.type == kSslCipher) into.add("proxy.tls.cipher", std::string(tlv.value));
  }
  return at == value.size() ? nullptr : kOverrun;
}

const char* parse_tlv(std::string_view header, const Tlv& tlv, LayerFacts& into) {
  switch (tlv.type) {
    case kAlpn:
      into.add("proxy.alpn", std::string(tlv.value));
      return nullptr;
    case kAuthority:
      into.add("proxy.authority", std::string(tlv.value));
      return nullptr;
    case kCrc32c:
      return check_crc(header, tlv);
    case kUniqueId:
      into.add("proxy.unique_id", hex(tlv.value));
      return nullptr;
    case kSsl:
      return parse_ssl(tlv.value, into);
    case kNetns:
      into.add("proxy.netns", std::string(tlv.value));
      return nullptr;
    default:  // no operation, and what is not known
      break;
  }
  if (tlv.type >= kOwnFirst && tlv.type <= kOwnLast) {
    const char type = static_cast<char>(tlv.type);
    into.add("proxy.tlv." + hex({&type, 1}), hex(tlv.value));
  }
  return nullptr;
}

}  // namespace

const char* parse_proxy_tlvs(std::string_view header, size_t at, LayerFacts& into) {
  Tlv tlv;
  while (take(header, at, tlv)) {
    if (const char* mistake = parse_tlv(header, tlv, into)) return mistake;
  }
  return at == header.size() ? nullptr : kOverrun;
}

}}  // namespace trireme
