// The target of a request (RFC 9112, 3.2), and the value of Host (RFC 9110, 7.2).
//
// Step 3, framing. Thread: any, pure.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "trireme/http/message_facts.h"

namespace trireme { inline namespace v0 { namespace http {

// Where path and query are in a target. For "*" the path is "*"; a URL without a path has an empty
// one, which means "/".
struct TargetParts {
  size_t path_at = 0;
  size_t path_bytes = 0;
  size_t query_bytes = 0;  // with its "?"
  bool absolute = false;
};

// The parts; false if the target is none for that method. CONNECT has none that is served.
bool split_target(std::string_view target, Method method, TargetParts& parts);

// Whether it is `uri-host [":" port]`. An empty value is allowed: it is what a client sends that
// knows no name.
bool is_host(std::string_view value);

// The bytes with every percent code replaced; none where a code is broken. `plus_is_blank`: as
// forms have it.
std::optional<std::string> percent_decode(std::string_view text, bool plus_is_blank = false);
// Whether there is something to decode.
inline bool has_percent(std::string_view text) { return text.find('%') != std::string_view::npos; }

}}}  // namespace trireme::http
