// The alphabets of HTTP: which bytes a token, a target and a field value may have, and comparisons
// that ignore the case of ASCII letters only.
//
// Step 3, framing. Thread: any, pure.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace trireme { inline namespace v0 { namespace http {

enum : uint8_t {
  kTokenCharacter = 1,   // RFC 9110, 5.6.2
  kTargetCharacter = 2,  // RFC 3986: unreserved, gen-delims, sub-delims and "%", less "#"
  kValueCharacter = 4,   // RFC 9110, 5.5: visible, blank, tab, and all of 80 to FF
  kHostCharacter = 8,    // RFC 3986, 3.2.2: unreserved and sub-delims
  kTagCharacter = 16,    // RFC 9110, 8.8.3: of an entity tag
};

constexpr std::array<uint8_t, 256> make_character_table() {
  std::array<uint8_t, 256> table{};
  constexpr std::string_view token = "!#$%&'*+-.^_`|~";
  constexpr std::string_view sub_delims = "!$&'()*+,;=";
  constexpr std::string_view unreserved = "-._~";
  constexpr std::string_view more_of_target = "%:/?@[]";
  for (size_t byte = 0; byte < 256; ++byte) {
    const char c = static_cast<char>(byte);
    const bool digit = c >= '0' && c <= '9';
    const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    const auto in = [&](std::string_view set) { return set.find(c) != std::string_view::npos; };
    const bool name = digit || letter || in(unreserved) || in(sub_delims);
    if (digit || letter || in(token)) table[byte] |= kTokenCharacter;
    if (name || in(more_of_target)) table[byte] |= kTargetCharacter;
    if (name) table[byte] |= kHostCharacter;
    if (byte == 9 || (byte >= 32 && byte != 127)) table[byte] |= kValueCharacter;
    if (byte == 33 || (byte >= 35 && byte != 127)) table[byte] |= kTagCharacter;
  }
  return table;
}
inline constexpr std::array<uint8_t, 256> kCharacterTable = make_character_table();

// Any thread.
constexpr bool is_of(char byte, uint8_t alphabet) {
  return (kCharacterTable[static_cast<unsigned char>(byte)] & alphabet) != 0;
}
constexpr bool all_of(std::string_view text, uint8_t alphabet) {
  for (const char byte : text) {
    if (!is_of(byte, alphabet)) return false;
  }
  return true;
}
constexpr bool is_token(std::string_view text) {
  return !text.empty() && all_of(text, kTokenCharacter);
}
constexpr bool is_digit(char byte) { return byte >= '0' && byte <= '9'; }

// Any thread. The value of a hexadecimal digit, or -1.
constexpr int hex_value(char byte) {
  if (is_digit(byte)) return byte - '0';
  if (byte >= 'a' && byte <= 'f') return byte - 'a' + 10;
  if (byte >= 'A' && byte <= 'F') return byte - 'A' + 10;
  return -1;
}

// Any thread. Other bytes than A to Z stay as they are, in every locale.
constexpr char to_lower(char byte) {
  return byte >= 'A' && byte <= 'Z' ? static_cast<char>(byte + 32) : byte;
}
constexpr bool equal_ignoring_case(std::string_view a, std::string_view b) {
  if (a.size() != b.size()) return false;
  for (size_t i = 0; i < a.size(); ++i) {
    if (to_lower(a[i]) != to_lower(b[i])) return false;
  }
  return true;
}
inline std::string lower(std::string_view text) {
  std::string made(text);
  for (char& byte : made) byte = to_lower(byte);
  return made;
}

// Any thread. The text without blanks and tabs at both ends (OWS of RFC 9110).
constexpr std::string_view trim(std::string_view text) {
  const auto blank = [](char byte) { return byte == ' ' || byte == '\t'; };
  while (!text.empty() && blank(text.front())) text.remove_prefix(1);
  while (!text.empty() && blank(text.back())) text.remove_suffix(1);
  return text;
}

// Any thread. Takes the next member off the front of a list, trimmed; `separator` inside of a
// quoted string (RFC 9110, 5.6.4) ends nothing. False: the list is used up. Members may be empty.
constexpr bool next_member(std::string_view& list, char separator, std::string_view& member) {
  if (list.data() == nullptr) return false;
  bool quoted = false;
  size_t end = 0;
  for (; end < list.size(); ++end) {
    const char byte = list[end];
    if (quoted && byte == '\\') {
      ++end;
    } else if (byte == '"') {
      quoted = !quoted;
    } else if (!quoted && byte == separator) {
      break;
    }
  }
  if (end >= list.size()) {
    member = trim(list);
    list = std::string_view();
    return true;
  }
  member = trim(list.substr(0, end));
  list.remove_prefix(end + 1);
  return true;
}

// Any thread. The digits as a number; false where there are none, others, or too many for 64 bits.
constexpr bool read_number(std::string_view digits, uint64_t& number) {
  if (digits.empty()) return false;
  uint64_t value = 0;
  for (const char byte : digits) {
    if (!is_digit(byte)) return false;
    const auto digit = static_cast<uint64_t>(byte - '0');
    if (value > (~uint64_t{0} - digit) / 10) return false;
    value = value * 10 + digit;
  }
  number = value;
  return true;
}

}}}  // namespace trireme::http
