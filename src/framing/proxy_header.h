// The header of the PROXY protocol, versions 1 and 2, as HAProxy's "The PROXY protocol" has it:
// which client a proxy speaks for.
//
// Step 2. Thread: any; a pure function of bytes that anybody may have sent. Bounded: a header has
// at most kBytesMax bytes, and what is made of it is not larger by more than a factor.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "trireme/transport_layer.h"

namespace trireme { inline namespace v0 {

struct ProxyHeader {
  static constexpr size_t kBytesMax = 4096;  // the specification asks for 536

  uint8_t version = 0;      // 1 or 2
  bool tells_peer = false;  // else the proxy speaks for itself, or does not know (LOCAL, UNKNOWN)
  ToldAddress source{};     // none of a unix socket
  ToldAddress destination{};
  LayerFacts facts{};  // of all that stands there
};

// What was found at the front of the input.
struct ProxyParse {
  enum class Kind : uint8_t { kIncomplete, kHeader, kInvalid } kind = Kind::kIncomplete;
  size_t bytes = 0;               // kHeader: of the header
  const char* mistake = nullptr;  // kInvalid: a sentence for the log
};

// Input that cannot become a header is invalid with its first wrong byte. `into` is of use with
// kHeader only. Throws where the system has no memory.
ProxyParse parse_proxy_header(std::string_view input, ProxyHeader& into);

// CRC-32C of bytes, as SCTP has it. `crc`: of those before them.
uint32_t crc32c(std::string_view bytes, uint32_t crc = 0);

// Such as "192.0.2.1:4711" or "[2001:db8::1]:4711"; empty if there is none.
std::string describe(const ToldAddress& address);

}}  // namespace trireme
