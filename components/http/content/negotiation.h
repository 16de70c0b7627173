// What a client can take: Accept and Accept-Encoding (RFC 9110, 12.5).
//
// Step 4, handling. Thread: any, pure.
#pragma once

#include <string_view>

namespace trireme { inline namespace v0 { namespace http {

// The weight in thousandths of one name in a list such as "gzip;q=0.5, *;q=0". 0: not wanted. -1:
// it is not in the list, and no "*" is.
int weight_of(std::string_view list, std::string_view name);

// Whether a content coded so may be sent. Without the field only identity is.
bool accepts_coding(std::string_view accept_encoding, std::string_view coding);

// Whether "type/subtype" is wanted before `other`, by Accept. Without the field: no.
bool prefers_type(std::string_view accept, std::string_view type, std::string_view other);

}}}  // namespace trireme::http
