#include "http/message/target.h"

#include "http/message/characters.h"

namespace trireme { inline namespace v0 { namespace http {

namespace {

// Every "%" has two hexadecimal digits behind it.
bool percents_are_whole(std::string_view text) {
  for (size_t at = text.find('%'); at != std::string_view::npos; at = text.find('%', at + 3)) {
    if (at + 2 >= text.size() || hex_value(text[at + 1]) < 0 || hex_value(text[at + 2]) < 0) {
      return false;
    }
  }
  return true;
}

bool is_port(std::string_view text) {
  for (const char byte : text) {
    if (!is_digit(byte)) return false;
  }
  return text.size() <= 5;
}

// The inside of the brackets of an address literal (RFC 3986, 3.2.2): an IPv6 address by its
// alphabet and a colon, or an address of a later version.
bool is_address_literal(std::string_view text) {
  if (text.size() > 2 && to_lower(text[0]) == 'v') {
    return text.find('.') != std::string_view::npos &&
           all_of(text, kHostCharacter | kTokenCharacter);
  }
  size_t colons = 0;
  for (const char byte : text) {
    if (byte == ':') {
      ++colons;
    } else if (hex_value(byte) < 0 && byte != '.') {
      return false;
    }
  }
  return colons >= 2 && colons <= 8;
}

// Whether a path may be what it is: bytes of targets, whole percent codes.
bool is_path_or_query(std::string_view text) {
  return all_of(text, kTargetCharacter) && percents_are_whole(text);
}

bool split_path(std::string_view target, size_t from, TargetParts& parts) {
  const std::string_view rest = target.substr(from);
  if (!is_path_or_query(rest)) return false;
  const size_t question = rest.find('?');
  parts.path_at = from;
  parts.path_bytes = question == std::string_view::npos ? rest.size() : question;
  parts.query_bytes = rest.size() - parts.path_bytes;
  return true;
}

}  // namespace

bool is_host(std::string_view value) {
  if (value.empty()) return true;
  std::string_view port;
  if (value.front() == '[') {
    const size_t close = value.find(']');
    if (close == std::string_view::npos) return false;
    if (!is_address_literal(value.substr(1, close - 1))) return false;
    port = value.substr(close + 1);
  } else {
    const size_t colon = value.find(':');
    const std::string_view name = value.substr(0, colon);
    if (name.empty() || !percents_are_whole(name)) return false;
    for (const char byte : name) {
      if (!is_of(byte, kHostCharacter) && byte != '%') return false;
      if (byte == ',') return false;  // allowed by the grammar; a list to everybody who sees it
    }
    port = colon == std::string_view::npos ? std::string_view() : value.substr(colon);
  }
  return port.empty() || (port.front() == ':' && is_port(port.substr(1)));
}

bool split_target(std::string_view target, Method method, TargetParts& parts) {
  parts = {};
  if (target.empty() || method == Method::kConnect) return false;
  if (target.front() == '/') return split_path(target, 0, parts);
  if (target == "*") {
    parts.path_bytes = 1;
    return method == Method::kOptions;
  }
  const size_t scheme_end = target.find("://");
  if (scheme_end == std::string_view::npos) return false;
  const std::string_view scheme = target.substr(0, scheme_end);
  if (!equal_ignoring_case(scheme, "http") && !equal_ignoring_case(scheme, "https")) return false;
  const size_t host_at = scheme_end + 3;
  const size_t host_end = std::min(target.find_first_of("/?", host_at), target.size());
  const std::string_view host = target.substr(host_at, host_end - host_at);
  if (host.empty() || !is_host(host)) return false;
  parts.absolute = true;
  return split_path(target, host_end, parts);
}

std::optional<std::string> percent_decode(std::string_view text, bool plus_is_blank) {
  std::string made;
  made.reserve(text.size());
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '+' && plus_is_blank) {
      made += ' ';
    } else if (text[i] != '%') {
      made += text[i];
    } else {
      if (i + 2 >= text.size()) return std::nullopt;
      const int high = hex_value(text[i + 1]);
      const int low = hex_value(text[i + 2]);
      if (high < 0 || low < 0) return std::nullopt;
      made += static_cast<char>(high * 16 + low);
      i += 2;
    }
  }
  return made;
}

}}}  // namespace trireme::http
