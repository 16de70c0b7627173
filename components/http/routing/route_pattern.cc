#include "http/routing/route_pattern.h"

#include <algorithm>
#include <stdexcept>

#include "http/message/target.h"

namespace trireme { inline namespace v0 { namespace http {

namespace {

[[noreturn]] void refuse(std::string_view pattern, std::string_view why) {
  throw std::invalid_argument("route '" + std::string(pattern) + "': " + std::string(why));
}

// Whoever takes a decoded segment for a path must not get out by it.
bool climbs(std::string_view decoded) {
  while (true) {
    const size_t slash = decoded.find_first_of("/\\");
    const std::string_view name = decoded.substr(0, slash);
    if (name == "." || name == "..") return true;
    if (slash == std::string_view::npos) return false;
    decoded.remove_prefix(slash + 1);
  }
}

}  // namespace

RoutePattern::RoutePattern(std::string_view pattern) : text_(pattern) {
  if (!pattern.starts_with('/')) refuse(pattern, "a path begins with a slash");
  if (is_devious(pattern)) refuse(pattern, "no request has such a path");
  std::string_view rest = segments_of(text_), segment;
  while (next_segment(rest, segment)) {
    Piece piece;
    if (segment.starts_with(':') || segment.starts_with('*')) {
      piece.kind = segment[0] == ':' ? Piece::Kind::kParameter : Piece::Kind::kRest;
      piece.text = segment.substr(1);
      if (piece.text.empty() && segment[0] == ':') refuse(pattern, "a parameter needs a name");
      if (segment[0] == '*' && rest.data() != nullptr) refuse(pattern, "'*' is for the end");
      const bool twice = std::any_of(pieces_.begin(), pieces_.end(), [&](const Piece& one) {
        return one.kind != Piece::Kind::kLiteral && one.text == piece.text;
      });
      if (twice) refuse(pattern, "two parameters of one name");
    } else {
      auto decoded = percent_decode(segment);
      if (!decoded) refuse(pattern, "a broken percent code");
      piece.text = std::move(*decoded);
    }
    pieces_.push_back(std::move(piece));
  }
}

std::optional<std::string_view> RoutePattern::find(std::string_view path,
                                                   std::string_view name) const {
  std::string_view rest = segments_of(path), segment;
  for (const Piece& piece : pieces_) {
    if (piece.kind == Piece::Kind::kRest) {
      if (piece.text != name) return std::nullopt;
      return rest.data() == nullptr ? std::string_view("") : rest;
    }
    if (!next_segment(rest, segment)) return std::nullopt;
    if (piece.kind == Piece::Kind::kParameter && piece.text == name) return segment;
  }
  return std::nullopt;
}

bool RoutePattern::leads(std::string_view path) const {
  std::string_view rest = segments_of(path), segment;
  for (const Piece& piece : pieces_) {
    if (piece.kind == Piece::Kind::kRest) return true;
    if (!next_segment(rest, segment)) return false;
    if (piece.kind == Piece::Kind::kParameter) {
      if (segment.empty()) return false;
    } else if (has_percent(segment) ? percent_decode(segment) != piece.text
                                    : segment != piece.text) {
      return false;
    }
  }
  return true;
}

bool is_devious(std::string_view path) {
  const bool coded = has_percent(path);
  if (!coded && path.find("/.") == std::string_view::npos) return false;
  std::string_view rest = segments_of(path), segment;
  while (next_segment(rest, segment)) {
    if (!coded || !has_percent(segment)) {
      if (segment == "." || segment == "..") return true;
      continue;
    }
    const auto decoded = percent_decode(segment);
    if (!decoded || climbs(*decoded) || decoded->find('\0') != std::string::npos) return true;
  }
  return false;
}

}}}  // namespace trireme::http
