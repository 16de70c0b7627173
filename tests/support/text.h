// What tests write, and look for in sentences.
#pragma once

#include <string>
#include <string_view>

namespace support {

inline constexpr const char* kAnyPort = "tcp://127.0.0.1:0";

// True if `part` is somewhere in `text`.
inline bool contains(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

}  // namespace support
