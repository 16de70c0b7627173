#include "http/content/conditions.h"

#include "http/message/characters.h"
#include "http/message/date.h"
#include "http/message/fields.h"

namespace trireme { inline namespace v0 { namespace http {

namespace {

std::string_view opaque(std::string_view tag) {
  return tag.starts_with("W/") ? tag.substr(2) : tag;
}

// One field in as many lines as there are: a function of each value, until one says yes.
template <class F>
bool any_value(std::string_view fields, std::string_view wanted, const F& says_yes) {
  std::string_view name, value;
  while (next_field(fields, name, value)) {
    if (equal_ignoring_case(name, wanted) && says_yes(value)) return true;
  }
  return false;
}

bool field_matches(std::string_view fields, std::string_view name, std::string_view tag,
                   bool weakly) {
  return any_value(fields, name,
                   [&](std::string_view value) { return matches_tag(value, tag, weakly); });
}

}  // namespace

bool is_entity_tag(std::string_view text) {
  text = opaque(text);
  return text.size() >= 2 && text.front() == '"' && text.back() == '"' &&
         all_of(text.substr(1, text.size() - 2), kTagCharacter);
}

// A tag may hold commas, and a backslash in it escapes nothing: this is not next_member().
bool matches_tag(std::string_view tags, std::string_view entity_tag, bool weakly) {
  if (trim(tags) == "*") return true;
  while (!tags.empty()) {
    const size_t open = tags.find('"');
    if (open == std::string_view::npos) return false;
    const size_t close = tags.find('"', open + 1);
    if (close == std::string_view::npos) return false;
    const bool weak = open >= 2 && tags.substr(open - 2, 2) == "W/";
    const std::string_view tag = tags.substr(open, close + 1 - open);
    if (!entity_tag.empty() && tag == opaque(entity_tag)) {
      if (weakly || (!weak && !entity_tag.starts_with("W/"))) return true;
    }
    tags.remove_prefix(close + 1);
  }
  return false;
}

Verdict judge_conditions(std::string_view fields, Method method, const Validators& validators,
                         int64_t now) {
  const bool reads = method == Method::kGet || method == Method::kHead;
  if (find_field(fields, "if-match").data() != nullptr) {
    if (!field_matches(fields, "if-match", validators.entity_tag, false)) return Verdict::kFailed;
  } else if (const auto since = find_field(fields, "if-unmodified-since");
             since.data() != nullptr) {
    const auto date = read_date(since, now);
    if (date && validators.last_modified && *validators.last_modified > *date) {
      return Verdict::kFailed;
    }
  }
  if (find_field(fields, "if-none-match").data() != nullptr) {
    if (!field_matches(fields, "if-none-match", validators.entity_tag, true)) return Verdict::kGoOn;
    return reads ? Verdict::kNotModified : Verdict::kFailed;
  }
  const auto since = find_field(fields, "if-modified-since");
  if (!reads || since.data() == nullptr || !validators.last_modified) return Verdict::kGoOn;
  const auto date = read_date(since, now);
  return date && *validators.last_modified <= *date ? Verdict::kNotModified : Verdict::kGoOn;
}

bool if_range_holds(std::string_view fields, const Validators& validators, int64_t now) {
  const std::string_view value = find_field(fields, "if-range");
  if (value.data() == nullptr) return true;
  if (value.find('"') != std::string_view::npos) {
    return is_entity_tag(value) && matches_tag(value, validators.entity_tag, false);
  }
  // A date is a strong validator only if nothing can have changed twice in that second.
  const auto date = read_date(value, now);
  return date && validators.last_modified && *date == *validators.last_modified && *date < now;
}

}}}  // namespace trireme::http
