#include "http/content/media_types.h"

#include <algorithm>
#include <array>

#include "http/message/characters.h"

namespace trireme { inline namespace v0 { namespace http {

namespace {

struct Ending {
  std::string_view ending;
  std::string_view type;
};

// Sorted by their endings.
constexpr std::array kEndings = {
    Ending{"7z", "application/x-7z-compressed"},
    Ending{"aac", "audio/aac"},
    Ending{"apng", "image/apng"},
    Ending{"avif", "image/avif"},
    Ending{"bmp", "image/bmp"},
    Ending{"bz2", "application/x-bzip2"},
    Ending{"css", "text/css; charset=utf-8"},
    Ending{"csv", "text/csv; charset=utf-8"},
    Ending{"epub", "application/epub+zip"},
    Ending{"flac", "audio/flac"},
    Ending{"gif", "image/gif"},
    Ending{"gz", "application/gzip"},
    Ending{"htm", "text/html; charset=utf-8"},
    Ending{"html", "text/html; charset=utf-8"},
    Ending{"ico", "image/vnd.microsoft.icon"},
    Ending{"ics", "text/calendar; charset=utf-8"},
    Ending{"jpeg", "image/jpeg"},
    Ending{"jpg", "image/jpeg"},
    Ending{"js", "text/javascript; charset=utf-8"},
    Ending{"json", "application/json"},
    Ending{"jsonld", "application/ld+json"},
    Ending{"jxl", "image/jxl"},
    Ending{"m4a", "audio/mp4"},
    Ending{"map", "application/json"},
    Ending{"md", "text/markdown; charset=utf-8"},
    Ending{"mjs", "text/javascript; charset=utf-8"},
    Ending{"mp3", "audio/mpeg"},
    Ending{"mp4", "video/mp4"},
    Ending{"mpeg", "video/mpeg"},
    Ending{"oga", "audio/ogg"},
    Ending{"ogg", "audio/ogg"},
    Ending{"ogv", "video/ogg"},
    Ending{"opus", "audio/ogg"},
    Ending{"otf", "font/otf"},
    Ending{"pdf", "application/pdf"},
    Ending{"png", "image/png"},
    Ending{"rtf", "application/rtf"},
    Ending{"svg", "image/svg+xml"},
    Ending{"tar", "application/x-tar"},
    Ending{"tif", "image/tiff"},
    Ending{"tiff", "image/tiff"},
    Ending{"ttf", "font/ttf"},
    Ending{"txt", "text/plain; charset=utf-8"},
    Ending{"wasm", "application/wasm"},
    Ending{"wav", "audio/wav"},
    Ending{"weba", "audio/webm"},
    Ending{"webm", "video/webm"},
    Ending{"webmanifest", "application/manifest+json"},
    Ending{"webp", "image/webp"},
    Ending{"woff", "font/woff"},
    Ending{"woff2", "font/woff2"},
    Ending{"xhtml", "application/xhtml+xml"},
    Ending{"xml", "application/xml"},
    Ending{"xz", "application/x-xz"},
    Ending{"zip", "application/zip"},
    Ending{"zst", "application/zstd"},
};
static_assert(std::is_sorted(kEndings.begin(), kEndings.end(),
                             [](const Ending& a, const Ending& b) { return a.ending < b.ending; }));

}  // namespace

std::string_view media_type_of(std::string_view file_name) {
  const std::string_view name = file_name.substr(file_name.rfind('/') + 1);
  const size_t dot = name.rfind('.');
  if (dot != std::string_view::npos) {
    const std::string ending = lower(name.substr(dot + 1));
    const auto found =
        std::lower_bound(kEndings.begin(), kEndings.end(), ending,
                         [](const Ending& a, const std::string& b) { return a.ending < b; });
    if (found != kEndings.end() && found->ending == ending) return found->type;
  }
  return "application/octet-stream";
}

bool is_worth_compressing(std::string_view media_type) {
  const std::string type = lower(trim(media_type.substr(0, media_type.find(';'))));
  if (type == "text/event-stream") return false;
  if (type.starts_with("text/") || type.ends_with("+json") || type.ends_with("+xml")) return true;
  return type == "application/json" || type == "application/xml" || type == "application/wasm" ||
         type == "application/rtf" || type == "font/ttf" || type == "font/otf" ||
         type == "application/x-tar" || type == "image/bmp";
}

}}}  // namespace trireme::http
