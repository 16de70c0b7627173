#include "framing/delimiters.h"

#include <algorithm>
#include <utility>

namespace trireme { inline namespace v0 {

Delimiters::Delimiters(std::vector<std::string> all) : all_(std::move(all)) {
  std::stable_sort(all_.begin(), all_.end(),
                   [](const auto& a, const auto& b) { return a.size() > b.size(); });
  for (const std::string& one : all_) is_last_[static_cast<unsigned char>(one.back())] = true;
}

Delimiters::Found Delimiters::find(std::string_view input, size_t scanned) const {
  if (all_.size() > 1) return find_any(input, scanned);
  const std::string& one = all_.front();
  const size_t from = std::min(scanned, input.size());
  const size_t begin = one.size() == 1 ? input.find(one.front(), from)
                                       : input.find(one, from - std::min(from, one.size() - 1));
  if (begin == std::string_view::npos) return {};
  return {begin, begin + one.size()};
}

// Byte by byte: a search for each of them would look at all of the input for one that is rare.
Delimiters::Found Delimiters::find_any(std::string_view input, size_t scanned) const {
  for (size_t end = std::min(scanned, input.size()) + 1; end <= input.size(); ++end) {
    if (!is_last_[static_cast<unsigned char>(input[end - 1])]) continue;
    for (const std::string& one : all_) {
      if (input.substr(0, end).ends_with(one)) return {end - one.size(), end};
    }
  }
  return {};
}

}}  // namespace trireme
