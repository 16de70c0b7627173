#include "http/content/ranges.h"

#include <algorithm>

#include "http/message/characters.h"

namespace trireme { inline namespace v0 { namespace http {

namespace {

// One of "1-5", "1-", "-5". False: it is none. `part.bytes` 0: nothing of the content.
bool read_range(std::string_view text, uint64_t content_bytes, ByteRange& part) {
  const size_t dash = text.find('-');
  if (dash == std::string_view::npos) return false;
  const std::string_view from = text.substr(0, dash);
  const std::string_view to = text.substr(dash + 1);
  part = {};
  uint64_t last = 0;
  if (from.empty()) {
    uint64_t suffix = 0;
    if (!read_number(to, suffix)) return false;
    part.bytes = std::min(suffix, content_bytes);
    part.first = content_bytes - part.bytes;
    return true;
  }
  if (!read_number(from, part.first)) return false;
  if (!to.empty() && (!read_number(to, last) || last < part.first)) return false;
  if (part.first >= content_bytes) return true;
  const uint64_t left = content_bytes - part.first;
  part.bytes =
      to.empty() ? left : std::min(left, last - part.first + (last == ~uint64_t{0} ? 0 : 1));
  return true;
}

// RFC 9110, 14.2: many small or overlapping ranges cost more than the whole.
bool overlap(std::vector<ByteRange> parts) {
  std::sort(parts.begin(), parts.end(),
            [](const ByteRange& a, const ByteRange& b) { return a.first < b.first; });
  for (size_t i = 1; i < parts.size(); ++i) {
    if (parts[i].first < parts[i - 1].first + parts[i - 1].bytes) return true;
  }
  return false;
}

}  // namespace

Ranges read_ranges(std::string_view value, uint64_t content_bytes) {
  Ranges found;
  const size_t equals = value.find('=');
  if (equals == std::string_view::npos) return found;
  if (!equal_ignoring_case(trim(value.substr(0, equals)), "bytes")) return found;
  std::string_view list = value.substr(equals + 1);
  std::string_view member;
  size_t members = 0;
  while (next_member(list, ',', member)) {
    if (member.empty()) continue;
    ByteRange part;
    if (++members > kRangesMax || !read_range(member, content_bytes, part)) return Ranges{};
    if (part.bytes > 0) found.parts.push_back(part);
  }
  if (members == 0) return Ranges{};
  if (found.parts.empty()) {
    found.kind = Ranges::Kind::kUnsatisfiable;
  } else if (overlap(found.parts)) {
    return Ranges{};
  } else {
    found.kind = Ranges::Kind::kParts;
  }
  return found;
}

}}}  // namespace trireme::http
