#include "services/collect_words.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <system_error>

namespace services {
namespace {

constexpr size_t kNameBytesMax = 64;

// The exponent of the first digit of `word` that is not 0, a decimal number in its right form:
// negative below 1. Saturates; 0 if all digits are 0.
int64_t magnitude_of(Word word) {
  const size_t letter = std::min(word.find_first_of("eE"), word.size());
  int64_t exponent = 0;
  if (letter < word.size()) {
    const bool is_negative = word[letter + 1] == '-';
    for (const char digit : word.substr(letter + 1)) {
      if (digit < '0' || digit > '9') continue;
      exponent = std::min<int64_t>(exponent * 10 + (digit - '0'), 1'000'000'000);
    }
    if (is_negative) exponent = -exponent;
  }
  const Word digits = word.substr(0, letter);
  const size_t first = digits.find_first_of("123456789");
  if (first == Word::npos) return 0;
  const size_t point = std::min(digits.find('.'), digits.size());
  const auto distance = static_cast<int64_t>(point) - static_cast<int64_t>(first);
  return exponent + (distance > 0 ? distance - 1 : distance);
}

}  // namespace

size_t split(std::string_view line, std::array<Word, kWordsMax>& words) {
  for (size_t count = 0; count < kWordsMax;) {
    const size_t space = line.find(' ');
    words[count++] = line.substr(0, space);
    if (words[count - 1].empty()) return 0;
    if (space == std::string_view::npos) return count;
    line.remove_prefix(space + 1);
  }
  return 0;
}

bool is_name(Word word) {
  constexpr std::string_view kLettersAndMore =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.:-";
  return !word.empty() && word.size() <= kNameBytesMax &&
         word.find_first_not_of(kLettersAndMore) == std::string_view::npos;
}

std::optional<double> parse_number(Word word) {
  const char* const end = word.data() + word.size();
  double number = 0;
  const auto [stop, problem] = std::from_chars(word.data(), end, number);
  if (stop != end) return std::nullopt;
  // from_chars says the same of what is too great and of what is too small.
  if (problem == std::errc::result_out_of_range && magnitude_of(word) < 0) return 0.0;
  // from_chars reads "inf" and "nan" too.
  if (problem != std::errc() || !std::isfinite(number)) return std::nullopt;
  return number + 0.0;  // -0 becomes 0: SQLite does not keep it
}

void append_number(std::string& text, double number) {
  std::array<char, 32> digits;
  const double size = std::fabs(number);
  const bool plain = size == 0 || (size >= 1e-4 && size < 1e16);
  const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), number,
                                 plain ? std::chars_format::fixed : std::chars_format::scientific);
  text.append(digits.data(), end.ptr);
}

std::string text_of(const Place& place) {
  std::string text;
  append_number(text, place.time);
  return text + ":" + std::to_string(place.number);
}

std::optional<Place> parse_place(Word word) {
  const size_t colon = word.find(':');
  if (colon == Word::npos) return std::nullopt;
  const std::optional<double> time = parse_number(word.substr(0, colon));
  Place place{.time = time.value_or(0)};
  const char* const end = word.data() + word.size();
  const auto [stop, problem] = std::from_chars(word.data() + colon + 1, end, place.number);
  if (!time || stop != end || problem != std::errc()) return std::nullopt;
  return place;
}

bool looks_like_http(std::string_view line) {
  const size_t last = line.rfind(' ');
  return last != std::string_view::npos && line.find(' ') < last &&
         line.substr(last + 1).starts_with("HTTP/");
}

}  // namespace services
