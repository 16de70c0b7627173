// Words and numbers of the protocol of `collect`.
//
// Thread: any; pure functions.
#pragma once

#include <array>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "services/collect_store.h"

namespace services {

using Word = std::string_view;
inline constexpr size_t kWordsMax = 6;

// How many words `line` has; 0 if one is empty or there are more than fit.
size_t split(std::string_view line, std::array<Word, kWordsMax>& words);

// Whether a device or a metric may have this name.
bool is_name(Word word);

// A finite decimal number. What is too small for a double is 0, and -0 is 0.
std::optional<double> parse_number(Word word);

// The fewest digits that read back as the same double; without an exponent where people expect
// none, so that a time is not answered as 1.7e+09.
void append_number(std::string& text, double number);

// A place among the rows of a range: `TIME:NUMBER` of the row before it. Clients give back what
// they got.
struct Place {
  double time = 0;
  int64_t number = 0;
};
std::string text_of(const Place& place);
std::optional<Place> parse_place(Word word);

// Whether a line is the first one of an HTTP request, such as "POST / HTTP/1.1".
bool looks_like_http(std::string_view line);

}  // namespace services
