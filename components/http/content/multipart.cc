#include "http/content/multipart.h"

#include "http/content/form.h"
#include "http/message/characters.h"
#include "http/message/fields.h"

namespace trireme { inline namespace v0 { namespace http {

namespace {

constexpr size_t kBoundaryBytesMax = 70;  // RFC 2046, 5.1.1

// The lines of a part, up to the empty one.
bool read_fields(std::string_view lines, Part& part) {
  bool named = false;
  std::string_view name, value;
  while (!lines.empty()) {
    const std::string_view before = lines;
    if (!next_field(lines, name, value) || !is_token(name)) return false;
    if (value.find('\r') != std::string_view::npos || before == lines) return false;
    if (equal_ignoring_case(name, "content-disposition")) {
      const std::string_view kind = trim(value.substr(0, value.find(';')));
      if (!equal_ignoring_case(kind, "form-data")) return false;
      auto control = find_parameter(value, "name");
      if (!control) return false;
      named = true;
      part.name = std::move(*control);
      part.file_name = find_parameter(value, "filename").value_or("");
    } else if (equal_ignoring_case(name, "content-type")) {
      part.content_type = value;
    }
  }
  return named;
}

}  // namespace

std::optional<std::string> multipart_boundary(std::string_view content_type) {
  const std::string_view kind = trim(content_type.substr(0, content_type.find(';')));
  if (!equal_ignoring_case(kind, "multipart/form-data")) return std::nullopt;
  auto boundary = find_parameter(content_type, "boundary");
  if (!boundary || boundary->empty() || boundary->size() > kBoundaryBytesMax) return std::nullopt;
  for (const char byte : *boundary) {
    if (byte < 32 || byte > 126) return std::nullopt;
  }
  if (boundary->back() == ' ') return std::nullopt;
  return boundary;
}

std::optional<std::vector<Part>> read_multipart(std::string_view content, std::string_view boundary,
                                                const MultipartLimits& limits) {
  std::vector<Part> parts;
  const std::string delimiter = "\r\n--" + std::string(boundary);
  // What comes before the first delimiter is nobody's; the first may begin the content.
  const std::string_view first = std::string_view(delimiter).substr(2);
  size_t at = content.starts_with(first) ? first.size() : content.find(delimiter);
  if (at == std::string_view::npos) return std::nullopt;
  if (!content.starts_with(first)) at += delimiter.size();
  while (true) {
    std::string_view rest = content.substr(at);
    if (rest.starts_with("--")) return parts;  // the last one; what follows is nobody's
    const size_t line_end = rest.find_first_not_of(" \t");
    if (line_end == std::string_view::npos || rest.substr(line_end, 2) != "\r\n") {
      return std::nullopt;
    }
    rest.remove_prefix(line_end + 2);
    const size_t end = rest.find(delimiter);
    if (end == std::string_view::npos || parts.size() == limits.parts_max) return std::nullopt;
    const std::string_view whole = rest.substr(0, end);
    const size_t empty_line = whole.find("\r\n\r\n");
    if (empty_line == std::string_view::npos || empty_line > limits.fields_bytes_max) {
      return std::nullopt;
    }
    Part part;
    if (!read_fields(whole.substr(0, empty_line + 2), part)) return std::nullopt;
    part.content = whole.substr(empty_line + 4);
    parts.push_back(std::move(part));
    at = static_cast<size_t>(rest.data() - content.data()) + end + delimiter.size();
  }
}

}}}  // namespace trireme::http
