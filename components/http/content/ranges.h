// Ranges of bytes (RFC 9110, 14).
//
// Step 4, handling. Thread: any, pure. Bounded: kRangesMax.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

namespace trireme { inline namespace v0 { namespace http {

// More are more likely an attack than a wish: then the whole is the answer.
constexpr size_t kRangesMax = 16;

struct ByteRange {
  uint64_t first = 0;
  uint64_t bytes = 0;

  bool operator==(const ByteRange&) const = default;
};

struct Ranges {
  enum class Kind : uint8_t {
    kWhole,  // the field is ignored: another unit, bad syntax, too many, or overlapping ones
    kParts,  // `parts`, in the order of the request
    kUnsatisfiable,  // 416
  };
  Kind kind = Kind::kWhole;
  std::vector<ByteRange> parts{};
};

// The value of Range, against a content of so many bytes.
Ranges read_ranges(std::string_view value, uint64_t content_bytes);

}}}  // namespace trireme::http
