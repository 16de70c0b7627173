#include "http/content/form.h"

#include <algorithm>

#include "http/message/characters.h"
#include "http/message/target.h"

namespace trireme { inline namespace v0 { namespace http {

namespace {

// As the URL standard has it: what is no code stands for itself.
std::string decode(std::string_view text) {
  if (auto whole = percent_decode(text, true)) return std::move(*whole);
  std::string made;
  for (size_t i = 0; i < text.size(); ++i) {
    const bool code = text[i] == '%' && i + 2 < text.size() && hex_value(text[i + 1]) >= 0 &&
                      hex_value(text[i + 2]) >= 0;
    if (code) {
      made += static_cast<char>(hex_value(text[i + 1]) * 16 + hex_value(text[i + 2]));
      i += 2;
    } else {
      made += text[i] == '+' ? ' ' : text[i];
    }
  }
  return made;
}

// Takes the next "name=value" off the front. False: there is none.
bool next_pair(std::string_view& text, std::string_view& name, std::string_view& value) {
  while (!text.empty()) {
    const size_t end = std::min(text.find('&'), text.size());
    const std::string_view pair = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (pair.empty()) continue;
    const size_t equals = std::min(pair.find('='), pair.size());
    name = pair.substr(0, equals);
    value = pair.substr(std::min(equals + 1, pair.size()));
    return true;
  }
  return false;
}

bool is_plain(std::string_view text) { return text.find_first_of("%+") == std::string_view::npos; }

std::string unquote(std::string_view text) {
  if (text.size() < 2 || text.front() != '"' || text.back() != '"') return std::string(text);
  std::string made;
  for (size_t i = 1; i + 1 < text.size(); ++i) {
    if (text[i] == '\\' && i + 2 < text.size()) ++i;
    made += text[i];
  }
  return made;
}

}  // namespace

std::optional<Pairs> read_form(std::string_view text) {
  Pairs pairs;
  std::string_view name, value;
  while (next_pair(text, name, value)) {
    if (pairs.size() == kPairsMax) return std::nullopt;
    pairs.emplace_back(decode(name), decode(value));
  }
  return pairs;
}

std::optional<std::string> find_in_form(std::string_view text, std::string_view wanted) {
  std::string_view name, value;
  while (next_pair(text, name, value)) {
    if (is_plain(name) ? name == wanted : decode(name) == wanted) return decode(value);
  }
  return std::nullopt;
}

std::optional<std::string_view> find_cookie(std::string_view cookies, std::string_view wanted) {
  while (!cookies.empty()) {
    const size_t end = std::min(cookies.find(';'), cookies.size());
    const std::string_view pair = trim(cookies.substr(0, end));
    cookies.remove_prefix(std::min(end + 1, cookies.size()));
    const size_t equals = pair.find('=');
    if (equals == std::string_view::npos || trim(pair.substr(0, equals)) != wanted) continue;
    std::string_view value = trim(pair.substr(equals + 1));
    if (value.size() >= 2 && value.front() == '"' && value.back() == '"') {
      value = value.substr(1, value.size() - 2);
    }
    return value;
  }
  return std::nullopt;
}

std::optional<std::string> find_parameter(std::string_view value, std::string_view wanted) {
  std::string_view part;
  next_member(value, ';', part);
  while (next_member(value, ';', part)) {
    const size_t equals = part.find('=');
    if (equals == std::string_view::npos) continue;
    if (equal_ignoring_case(trim(part.substr(0, equals)), wanted)) {
      return unquote(trim(part.substr(equals + 1)));
    }
  }
  return std::nullopt;
}

}}}  // namespace trireme::http
