// The pattern of a route: "/things/:id/parts" or "/static/*rest".
//
// Step 3, framing. Thread: any, pure.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace trireme { inline namespace v0 { namespace http {

// A path is segments between slashes; a pattern has one piece for each. `:name` stands for one
// segment that is not empty, `*name` at the end for all the rest, which may be empty.
class RoutePattern {
 public:
  struct Piece {
    enum class Kind : uint8_t { kLiteral, kParameter, kRest } kind = Kind::kLiteral;
    std::string text{};  // decoded
  };

  // Throws std::invalid_argument with a sentence if the pattern is none.
  explicit RoutePattern(std::string_view pattern);

  const std::vector<Piece>& pieces() const { return pieces_; }
  const std::string& text() const { return text_; }
  // Whether a path begins with what fits: of a prefix, whether the path is the prefix or below it.
  bool leads(std::string_view path) const;
  // The raw segment of a path that fits, for a name of the pattern; none: there is no such name.
  std::optional<std::string_view> find(std::string_view path, std::string_view name) const;

 private:
  std::string text_;
  std::vector<Piece> pieces_;
};

// Takes the first segment off a path that begins behind its slash. False: there is none left.
inline bool next_segment(std::string_view& path, std::string_view& segment) {
  if (path.data() == nullptr) return false;
  const size_t slash = path.find('/');
  segment = path.substr(0, slash);
  path = slash == std::string_view::npos ? std::string_view() : path.substr(slash + 1);
  return true;
}

// The segments of a path: what is behind its first slash. Of a URL without a path as of "/".
inline std::string_view segments_of(std::string_view path) {
  return path.empty() ? std::string_view("") : path.substr(1);
}

// Whether a path names something by other means than its names: "." and ".." segments, however
// written, or a zero byte. Such a path is refused before any route sees it.
bool is_devious(std::string_view path);

}}}  // namespace trireme::http
