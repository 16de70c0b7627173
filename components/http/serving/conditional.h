// Which bytes of a content answer a request with Range, and what its response says of them.
//
// Step 4, handling. Thread: the handler's, pure. Bounded: kRangesMax.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "http/content/ranges.h"
#include "trireme/http/conditions.h"
#include "trireme/http/request.h"
#include "trireme/http/response.h"

namespace trireme { inline namespace v0 { namespace http {

struct RangePlan {
  enum class Kind : uint8_t { kWhole, kParts, kUnsatisfiable };
  struct Piece {
    std::string before{};  // of several parts: what divides them
    ByteRange range{};
  };

  Kind kind = Kind::kWhole;
  std::vector<Piece> pieces{};
  std::string end{};   // behind the last of several
  uint64_t bytes = 0;  // of all together
};

struct RangeLimits {
  uint64_t content_bytes = 0;
  uint64_t several_bytes_max = ~uint64_t{0};  // of several together: beyond, the whole answers
};

// `response`: gets the status and fields that fit, if it is not the whole that answers.
RangePlan plan_ranges(const Request& request, Response& response, const Validators& validators,
                      const RangeLimits& limits);

}}}  // namespace trireme::http
