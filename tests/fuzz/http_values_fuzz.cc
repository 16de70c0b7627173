// Goal: what a client writes into targets, forms, cookies, parts, dates and ranges makes no reader
// of them leave its bytes, and what they find lies inside of what was given. Method: libFuzzer; the
// first byte picks the reader.
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "http/content/conditions.h"
#include "http/content/form.h"
#include "http/content/multipart.h"
#include "http/content/negotiation.h"
#include "http/content/ranges.h"
#include "http/message/date.h"
#include "http/message/target.h"
#include "http/routing/route_tree.h"

namespace {

namespace http = trireme::http;

void require(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "fuzz: %s\n", what);
  std::abort();
}

bool lies_in(std::string_view part, std::string_view whole) {
  return part.data() >= whole.data() && part.data() + part.size() <= whole.data() + whole.size();
}

void read_ranges(std::string_view text) {
  constexpr uint64_t kBytes = 1000;
  const http::Ranges ranges = http::read_ranges(text, kBytes);
  require((ranges.kind == http::Ranges::Kind::kParts) == !ranges.parts.empty(), "parts of nothing");
  uint64_t sum = 0;
  for (const http::ByteRange& part : ranges.parts) {
    require(part.bytes > 0 && part.first + part.bytes <= kBytes, "a part outside of the whole");
    sum += part.bytes;
  }
  require(sum <= kBytes, "parts that overlap");
}

void read_parts(std::string_view text) {
  const auto parts = http::read_multipart(text, "B");
  if (!parts) return;
  for (const http::Part& part : *parts) {
    require(lies_in(part.content, text), "content from elsewhere");
    require(part.content.find("\r\n--B") == std::string_view::npos, "a delimiter in the content");
  }
}

void read_path(std::string_view text) {
  static const http::RouteTree& tree = []() -> const http::RouteTree& {
    static http::RouteTree made;
    made.add(http::Method::kGet, "GET", http::RoutePattern("/a/:b/c"), 1);
    made.add(http::Method::kGet, "GET", http::RoutePattern("/a/b"), 2);
    made.add(http::Method::kPost, "POST", http::RoutePattern("/files/*rest"), 3);
    return made;
  }();
  http::TargetParts parts;
  if (!http::split_target(text, http::Method::kGet, parts)) return;
  require(parts.path_at + parts.path_bytes + parts.query_bytes == text.size(), "parts are missing");
  const std::string_view path = text.substr(parts.path_at, parts.path_bytes);
  if (http::is_devious(path)) return;
  const auto decoded = http::percent_decode(path);
  require(decoded.has_value(), "a target with a broken code");
  require(decoded->find('\0') == std::string::npos, "a zero in a path");
  require(("/" + *decoded + "/").find("/../") == std::string::npos ||
              path.find('%') != std::string_view::npos,
          "a way out");
  const uint32_t route = tree.match(path, http::Method::kGet, "GET");
  if (route == 1) {
    require(http::RoutePattern("/a/:b/c").find(path, "b").has_value(), "a route without its part");
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  // In memory of its own size: the sanitizer sees what is read behind it.
  const std::vector<char> bytes(data + 1, data + size);
  const std::string_view text(bytes.data(), bytes.size());
  switch (data[0] % 8) {
    case 0:
      read_ranges(text);
      break;
    case 1:
      read_parts(text);
      break;
    case 2:
      read_path(text);
      break;
    case 3:
      if (const auto pairs = http::read_form(text)) {
        require(pairs->size() <= http::kPairsMax, "too many pairs");
      }
      http::find_in_form(text, "a");
      break;
    case 4:
      if (const auto value = http::find_cookie(text, "a")) {
        require(lies_in(*value, text), "a cookie from elsewhere");
      }
      http::find_parameter(text, "a");
      http::multipart_boundary(text);
      break;
    case 5:
      if (const auto date = http::read_date(text, 1'800'000'000)) {
        std::string again(http::kDateBytes, ' ');
        http::write_date(*date, again.data());
        require(http::read_date(again, 1'800'000'000) == date, "a date that is another");
      }
      break;
    case 6:
      http::weight_of(text, "gzip");
      http::prefers_type(text, "text/html", "application/json");
      http::is_host(text);
      break;
    default:
      http::judge_conditions(text, http::Method::kGet, {"\"v1\"", 784'111'777}, 1'800'000'000);
      http::if_range_holds(text, {"\"v1\"", 784'111'777}, 1'800'000'000);
      break;
  }
  return 0;
}
