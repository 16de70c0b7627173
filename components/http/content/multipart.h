// Forms with files: multipart/form-data (RFC 7578), whole in memory.
//
// Step 4, handling. Thread: any, pure. Bounded: MultipartLimits.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "trireme/http/request.h"

namespace trireme { inline namespace v0 { namespace http {

struct MultipartLimits {
  size_t parts_max = 100;
  size_t fields_bytes_max = 8 << 10;  // of the lines in front of one part
};

// The boundary of a Content-Type; none: it is no multipart/form-data, or has none of valid form.
std::optional<std::string> multipart_boundary(std::string_view content_type);

// The parts, in order. None: the content is not whole, not well-formed, or over a limit.
std::optional<std::vector<Part>> read_multipart(std::string_view content, std::string_view boundary,
                                                const MultipartLimits& limits = {});

}}}  // namespace trireme::http
