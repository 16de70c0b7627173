#include "trireme/http/request.h"

#include "http/content/form.h"
#include "http/content/multipart.h"
#include "http/message/characters.h"
#include "http/message/fields.h"
#include "http/message/target.h"
#include "http/routing/route_pattern.h"

namespace trireme { inline namespace v0 { namespace http {

std::string_view Request::path() const {
  const std::string_view path = facts_.path_of(message_);
  return path.empty() ? std::string_view("/") : path;
}

std::string_view Request::query_text() const {
  const std::string_view query = facts_.query_of(message_);
  return query.empty() ? query : query.substr(1);
}

std::string Request::param(std::string_view name) const {
  if (pattern_ == nullptr) return {};
  const auto raw = pattern_->find(facts_.path_of(message_), name);
  if (!raw) return {};
  return percent_decode(*raw).value_or(std::string(*raw));
}

std::optional<std::string> Request::query(std::string_view name) const {
  return find_in_form(query_text(), name);
}

std::optional<Pairs> Request::query() const { return read_form(query_text()); }

std::string_view Request::fields() const {
  const std::string_view head = message_.substr(0, facts_.head_bytes - size_t{2});
  return head.substr(head.find('\n') + 1);
}

std::string_view Request::header(std::string_view name) const { return find_field(fields(), name); }

bool Request::has_header(std::string_view name) const { return header(name).data() != nullptr; }

std::string_view Request::trailer(std::string_view name) const {
  return find_field(message_.substr(message_.size() - facts_.trailer_bytes), name);
}

std::optional<std::string_view> Request::cookie(std::string_view wanted) const {
  std::string_view lines = fields(), name, value;
  while (next_field(lines, name, value)) {
    if (!equal_ignoring_case(name, "cookie")) continue;
    if (const auto found = find_cookie(value, wanted)) return found;
  }
  return std::nullopt;
}

std::string_view Request::host() const {
  if (!facts_.has(MessageFacts::kAbsoluteForm)) return header("host");
  const std::string_view before = message_.substr(0, facts_.target_at);
  return before.substr(before.rfind('/') + 1);
}

std::string_view Request::body() const {
  return message_.substr(facts_.head_bytes,
                         message_.size() - facts_.head_bytes - facts_.trailer_bytes);
}

std::optional<Pairs> Request::form() const {
  const std::string_view type = header("content-type");
  const std::string_view kind = trim(type.substr(0, type.find(';')));
  if (!equal_ignoring_case(kind, "application/x-www-form-urlencoded")) return std::nullopt;
  return read_form(body());
}

std::optional<std::vector<Part>> Request::parts() const {
  const auto boundary = multipart_boundary(header("content-type"));
  if (!boundary) return std::nullopt;
  return read_multipart(body(), *boundary);
}

}}}  // namespace trireme::http
