// Where a request ends that has no length but a delimiter, or one of several: a search, no codec.
//
// Step 3. Thread: any; immutable. What it finds does not depend on how the input was cut: the
// delimiter that is complete first ends the request, and of several that end there the longest.
#pragma once

#include <array>
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace trireme { inline namespace v0 {

class Delimiters {
 public:
  // Of the delimiter that was found. end == 0: none was.
  struct Found {
    size_t begin = 0;
    size_t end = 0;
  };

  // 1 or more, none of them empty.
  explicit Delimiters(std::vector<std::string> all);

  // The first one in `input`. In its first `scanned` bytes none ends.
  Found find(std::string_view input, size_t scanned) const;
  size_t longest() const { return all_.front().size(); }
  const std::vector<std::string>& all() const { return all_; }

 private:
  Found find_any(std::string_view input, size_t scanned) const;

  std::vector<std::string> all_;     // the longest first
  std::array<bool, 256> is_last_{};  // a delimiter ends with this byte
};

}}  // namespace trireme
