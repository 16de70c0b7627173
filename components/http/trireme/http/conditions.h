// Conditional requests and ranges (RFC 9110, 13 and 14), for handlers that know the version of what
// they serve.
//
//   const http::Validators now{.entity_tag = "\"7\""};
//   if (auto answer = http::check_conditions(request, now)) return std::move(*answer);
//   ...                                       // PUT: nobody else has changed it since
//   return http::json(text).header("ETag", now.entity_tag);
//
// Thread: the handler's; pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "trireme/http/request.h"
#include "trireme/http/response.h"

namespace trireme { inline namespace v0 { namespace http {

// What a server knows of a resource.
struct Validators {
  std::string entity_tag{};                // with its quotes, W/ in front if weak; empty: none
  std::optional<int64_t> last_modified{};  // seconds since 1970
};

// Any thread. Whether a handler goes on: none, if the conditions of the request hold, or there are
// none. Else its answer: 304 for GET and HEAD, or 412.
std::optional<Response> check_conditions(const Request& request, const Validators& validators);

// Any thread. Seconds since 1970 as a date of HTTP, for Last-Modified and its like.
std::string date_text(int64_t seconds);

}}}  // namespace trireme::http
