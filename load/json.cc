#include "load/json.h"

#include <charconv>
#include <cmath>
#include <cstdio>

namespace load {
namespace {

// How many bytes at the front of `text` are one character of UTF-8; 0: none.
size_t utf8_size(std::string_view text) {
  const auto byte = [text](size_t i) { return static_cast<unsigned char>(text[i]); };
  if (byte(0) < 0x80) return 1;
  const size_t size = byte(0) >= 0xf0 ? 4 : byte(0) >= 0xe0 ? 3 : 2;
  if (byte(0) < 0xc2 || byte(0) > 0xf4 || text.size() < size) return 0;
  for (size_t i = 1; i < size; ++i) {
    if ((byte(i) & 0xc0) != 0x80) return 0;
  }
  // Longer than needed, a surrogate, or above the last code point.
  const bool wrong = (byte(0) == 0xe0 && byte(1) < 0xa0) || (byte(0) == 0xed && byte(1) > 0x9f) ||
                     (byte(0) == 0xf0 && byte(1) < 0x90) || (byte(0) == 0xf4 && byte(1) > 0x8f);
  return wrong ? 0 : size;
}

}  // namespace

std::string json_string(std::string_view text) {
  std::string quoted = "\"";
  while (!text.empty()) {
    const size_t size = utf8_size(text);
    const char byte = text.front();
    if (size == 0) {
      quoted += "\\ufffd";
    } else if (byte == '"' || byte == '\\') {
      quoted += {'\\', byte};
    } else if (size == 1 && static_cast<unsigned char>(byte) < ' ') {
      char escaped[8];
      std::snprintf(escaped, sizeof escaped, "\\u%04x", static_cast<unsigned>(byte));
      quoted += escaped;
    } else {
      quoted += text.substr(0, size);
    }
    text.remove_prefix(size == 0 ? 1 : size);
  }
  return quoted + '"';
}

std::string json_number(double value) {
  if (!std::isfinite(value)) return "null";
  char digits[64];
  char* const end = std::to_chars(digits, digits + sizeof digits, value).ptr;
  return std::string(digits, end);
}

void JsonWriter::begin(std::string_view name, char bracket) {
  put(name, {&bracket, 1});
  ++depth_;
  first_ = true;
}

void JsonWriter::end(char bracket) {
  --depth_;
  if (depth_ == 0) text_ += '\n';
  text_ += bracket;
  first_ = false;
}

void JsonWriter::put(std::string_view name, std::string_view value) {
  if (!first_) text_ += ',';
  if (depth_ == 1) {
    text_ += "\n  ";
  } else if (!first_) {
    text_ += ' ';
  }
  first_ = false;
  if (!name.empty()) text_ += json_string(name) + ": ";
  text_ += value;
}

}  // namespace load
