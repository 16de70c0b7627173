// What stands behind the addresses of a PROXY header of version 2: a list of {type, length, value}.
//
// Step 2. Thread: any; a pure function of bytes that anybody may have sent.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "trireme/layer_facts.h"

namespace trireme { inline namespace v0 {

inline uint8_t byte_at(std::string_view bytes, size_t at) {
  return static_cast<uint8_t>(bytes[at]);
}

// `header`: all of it; its list begins at `at`. Adds a fact for each that is known. Null, or a
// sentence that says what is wrong.
const char* parse_proxy_tlvs(std::string_view header, size_t at, LayerFacts& into);

}}  // namespace trireme
