// Hooks for Routes that many servers want: an access log, CORS, gzip.
//
// Thread: before start(). What they make runs as handlers do.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "trireme/http/routes.h"

namespace trireme { inline namespace v0 { namespace http {

enum class LogFormat : uint8_t {
  kCommon,  // of the NCSA, with referrer and agent: `client - - [date] "GET / HTTP/1.1" 200 13 ...`
  kJson,    // an object a line
};

// Before start(). A line, without its end, for each response that a handler of `routes` returns,
// and for those that no handler has made. Several threads call `sink` at once. Bytes of clients
// that could end a line or a string are escaped.
void log_access(Routes& routes, std::function<void(std::string_view line)> sink,
                LogFormat format = LogFormat::kCommon);

// Which pages of other origins may use the routes (the Fetch standard).
struct CorsOptions {
  std::vector<std::string> origins{};  // such as "https://example.org"; "*" is any
  std::vector<std::string> methods = {"GET", "HEAD", "POST"};
  std::vector<std::string> request_headers{};   // that pages may send, beside the simple ones
  std::vector<std::string> response_headers{};  // that pages may read, beside the simple ones
  bool credentials = false;                     // cookies count; then "*" is no origin
  std::chrono::seconds max_age{600};            // how long a browser may remember
};

// Before start(). Answers preflights, and marks responses. Throws std::invalid_argument:
// credentials for every origin.
void allow_origins(Routes& routes, CorsOptions options);

struct GzipOptions {
  size_t bytes_min = 1024;  // shorter bodies go out as they are
  int level = 5;            // 1, the fastest, to 9
};

// Before start(). Compresses bodies for clients that take gzip. Not what is compressed already, by
// its media type or Content-Encoding, nor what has an entity tag, which would be of other bytes.
// Throws std::invalid_argument: there is no such level.
void compress_responses(Routes& routes, GzipOptions options = {});

// Before start(). Answers GET and HEAD as far as what handlers return allows it: 304 for clients
// that have what its ETag or Last-Modified say; 206 for clients that want some ranges of it, one or
// several, and 416 where there is nothing of them. Of several hooks, the one that compresses comes
// before it.
void answer_conditions(Routes& routes);

}}}  // namespace trireme::http
