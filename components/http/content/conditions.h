// Conditional requests (RFC 9110, 13): entity tags and dates, evaluated in the order of 13.2.2.
//
// Step 4, handling. Thread: any, pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "trireme/http/conditions.h"
#include "trireme/http/message_facts.h"

namespace trireme { inline namespace v0 { namespace http {

// The conditions are met; answer 304; answer 412.
enum class Verdict : uint8_t { kGoOn, kNotModified, kFailed };

// `fields`: the lines behind the request line. `now`: for dates of RFC 850, and for If-Range by
// date.
Verdict judge_conditions(std::string_view fields, Method method, const Validators& validators,
                         int64_t now);

// Whether Range counts (RFC 9110, 13.1.5): no If-Range, or one that fits exactly.
bool if_range_holds(std::string_view fields, const Validators& validators, int64_t now);

// Whether one of the list `tags`, or "*", is the tag. Weak: without looking at W/.
bool matches_tag(std::string_view tags, std::string_view entity_tag, bool weakly);
// Whether it is an entity tag of valid form.
bool is_entity_tag(std::string_view text);

}}}  // namespace trireme::http
