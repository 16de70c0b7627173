// The fields of a head that the decoder has accepted: lines of "Name: value" that end in CR LF.
// Nothing is stored: to look a name up is to walk along the lines, a few ten nanoseconds for a
// browser's head.
//
// Step 3, framing. Thread: any, pure.
#pragma once

#include <cstddef>
#include <string_view>

#include "http/message/characters.h"

namespace trireme { inline namespace v0 { namespace http {

// Takes the next field off the front of `lines`. False: there is none; the empty line counts as
// the end.
inline bool next_field(std::string_view& lines, std::string_view& name, std::string_view& value) {
  const size_t end = lines.find('\n');
  if (end == std::string_view::npos || end < 2) return false;
  std::string_view line = lines.substr(0, end - 1);
  lines.remove_prefix(end + 1);
  const size_t colon = line.find(':');
  if (colon == std::string_view::npos) return false;
  name = line.substr(0, colon);
  value = trim(line.substr(colon + 1));
  return true;
}

// The value of the first field of that name. A value that is empty has data() != nullptr, so it
// can be told from a field that is not there.
inline std::string_view find_field(std::string_view lines, std::string_view wanted) {
  std::string_view name, value;
  while (next_field(lines, name, value)) {
    if (name.size() == wanted.size() && equal_ignoring_case(name, wanted)) return value;
  }
  return {};
}

}}}  // namespace trireme::http
