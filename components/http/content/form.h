// Names and values: of a query, of a form (application/x-www-form-urlencoded, as the URL standard
// has it), of cookies (RFC 6265).
//
// Step 4, handling. Thread: any, pure. Bounded: kPairsMax.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "trireme/http/request.h"

namespace trireme { inline namespace v0 { namespace http {

constexpr size_t kPairsMax = 1000;

// The pairs of "a=1&b=2", in order. A broken percent code stays as it is. None: more pairs than
// kPairsMax.
std::optional<Pairs> read_form(std::string_view text);
// The first value of that name, without reading the rest; none: the name is not there.
std::optional<std::string> find_in_form(std::string_view text, std::string_view name);

// The value of a cookie in one value of the field Cookie, as it came but without quotes around it.
std::optional<std::string_view> find_cookie(std::string_view cookies, std::string_view name);

// A parameter of a value such as `form-data; name="a"`, unquoted; none: it is not there.
std::optional<std::string> find_parameter(std::string_view value, std::string_view name);

}}}  // namespace trireme::http
