#include "trireme/http/middleware.h"

#include <zlib.h>

#include <algorithm>
#include <ctime>
#include <memory>
#include <stdexcept>
#include <utility>

#include "http/content/media_types.h"
#include "http/content/negotiation.h"
#include "http/message/characters.h"

namespace trireme { inline namespace v0 { namespace http {

namespace {

// As Apache writes it: what could end a string or a line is no more than text.
std::string log_escaped(std::string_view text) {
  constexpr std::string_view digits = "0123456789abcdef";
  std::string made;
  for (const char byte : text) {
    const auto value = static_cast<unsigned char>(byte);
    if (byte == '"' || byte == '\\') {
      made += '\\';
      made += byte;
    } else if (value < 32 || value >= 127) {
      made += "\\x";
      made += digits[value >> 4];
      made += digits[value & 15];
    } else {
      made += byte;
    }
  }
  return made;
}

std::string_view or_dash(std::string_view text) { return text.empty() ? "-" : text; }

std::string target_of(const Request& request) {
  std::string target(request.path());
  if (!request.query_text().empty()) target.append("?").append(request.query_text());
  return target;
}

std::string client_of(const Request& request) {
  std::string address = request.peer().address();
  const size_t colon = address.rfind(':');
  if (!address.starts_with("unix") && colon != std::string::npos) address.resize(colon);
  return address.empty() ? "-" : address;
}

std::string time_of_now(const char* format) {
  const std::time_t now = std::chrono::system_clock::to_time_t(std::chrono::system_clock::now());
  std::tm parts{};
  gmtime_r(&now, &parts);
  char text[64];
  return {text, std::strftime(text, sizeof(text), format, &parts)};
}

std::string common_line(const Request& request, const Response& response) {
  std::string line =
      client_of(request) + " - - [" + time_of_now("%d/%b/%Y:%H:%M:%S +0000") + "] \"";
  line.append(log_escaped(request.method_name())).append(" ");
  line.append(log_escaped(target_of(request)));
  line.append(request.is_old() ? " HTTP/1.0\" " : " HTTP/1.1\" ");
  line += std::to_string(response.status()) + " " + std::to_string(response.body_bytes());
  line.append(" \"").append(log_escaped(or_dash(request.header("referer")))).append("\" \"");
  return line.append(log_escaped(or_dash(request.header("user-agent")))).append("\"");
}

// Bytes that are no ASCII become U+FFFD: a log is JSON whatever clients send.
std::string json_text(std::string_view text) {
  std::string made;
  for (const char byte : json_escaped(text)) {
    if (static_cast<unsigned char>(byte) < 0x80) {
      made += byte;
    } else {
      made += "\\ufffd";
    }
  }
  return "\"" + made + "\"";
}

std::string json_line(const Request& request, const Response& response) {
  return "{\"time\":" + json_text(time_of_now("%Y-%m-%dT%H:%M:%SZ")) +
         ",\"client\":" + json_text(client_of(request)) +
         ",\"method\":" + json_text(request.method_name()) +
         ",\"target\":" + json_text(target_of(request)) + ",\"host\":" + json_text(request.host()) +
         ",\"status\":" + std::to_string(response.status()) +
         ",\"bytes\":" + std::to_string(response.body_bytes()) +
         ",\"agent\":" + json_text(request.header("user-agent")) + "}";
}

std::string joined_list(const std::vector<std::string>& words) {
  std::string list;
  for (const std::string& word : words) list.append(list.empty() ? "" : ", ").append(word);
  return list;
}

// The CORS fields of options, made once.
struct CorsFields {
  CorsOptions options;
  std::string methods, request_headers, response_headers;
  bool any = false;

  bool allows(std::string_view origin) const {
    return any || std::any_of(options.origins.begin(), options.origins.end(),
                              [&](const auto& one) { return equal_ignoring_case(one, origin); });
  }
  void mark(const Request& request, Response& response) const {
    if (!any) response.header("Vary", "Origin");
    const std::string_view origin = request.header("origin");
    if (origin.empty() || !allows(origin)) return;
    response.header("Access-Control-Allow-Origin", any ? "*" : origin);
    if (options.credentials) response.header("Access-Control-Allow-Credentials", "true");
  }
};

std::string gzipped(std::string_view body, int level) {
  constexpr int kGzip = 15 + 16;
  z_stream stream{};
  if (deflateInit2(&stream, level, Z_DEFLATED, kGzip, 8, Z_DEFAULT_STRATEGY) != Z_OK) return {};
  std::string made(deflateBound(&stream, static_cast<uLong>(body.size())), '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(body.data()));  // it only reads
  stream.avail_in = static_cast<uInt>(body.size());
  stream.next_out = reinterpret_cast<Bytef*>(made.data());
  stream.avail_out = static_cast<uInt>(made.size());
  const int status = deflate(&stream, Z_FINISH);
  made.resize(made.size() - stream.avail_out);
  deflateEnd(&stream);
  return status == Z_STREAM_END ? made : std::string();
}

void compress(const Request& request, Response& response, const GzipOptions& options) {
  constexpr size_t kBytesMax = 1 << 30;  // zlib counts with 32 bits
  const std::string_view body = response.body();
  if (!is_worth_compressing(response.content_type()) || body.size() < options.bytes_min ||
      body.size() > kBytesMax || response.status() == 206) {
    return;
  }
  if (response.file() != nullptr) return;
  if (!response.header("content-encoding").empty() || !response.header("etag").empty()) return;
  response.header("Vary", "Accept-Encoding");
  if (!accepts_coding(request.header("accept-encoding"), "gzip")) return;
  std::string made = gzipped(body, options.level);
  if (made.empty() || made.size() >= body.size()) return;
  response.header("Content-Encoding", "gzip");
  response.replace_body(std::move(made));
}

}  // namespace

void log_access(Routes& routes, std::function<void(std::string_view line)> sink, LogFormat format) {
  routes.after([sink = std::move(sink), format](const Request& request, Response& response) {
    sink(format == LogFormat::kJson ? json_line(request, response)
                                    : common_line(request, response));
  });
}

void allow_origins(Routes& routes, CorsOptions options) {
  auto fields = std::make_shared<CorsFields>();
  fields->any = std::count(options.origins.begin(), options.origins.end(), "*") > 0;
  if (fields->any && options.credentials) {
    throw std::invalid_argument("credentials of every origin: name the origins");
  }
  fields->methods = joined_list(options.methods);
  fields->request_headers = joined_list(options.request_headers);
  fields->response_headers = joined_list(options.response_headers);
  fields->options = std::move(options);
  routes.before([fields](const Request& request) -> std::optional<Response> {
    const bool preflight = request.method() == Method::kOptions && request.has_header("origin") &&
                           request.has_header("access-control-request-method");
    if (!preflight) return std::nullopt;
    Response response(204);
    if (fields->allows(request.header("origin"))) {
      response.header("Access-Control-Allow-Methods", fields->methods)
          .header("Access-Control-Max-Age", std::to_string(fields->options.max_age.count()));
      if (!fields->request_headers.empty()) {
        response.header("Access-Control-Allow-Headers", fields->request_headers);
      }
    }
    return response;
  });
  routes.after([fields](const Request& request, Response& response) {
    fields->mark(request, response);
    if (!fields->response_headers.empty()) {
      response.header("Access-Control-Expose-Headers", fields->response_headers);
    }
  });
}

void compress_responses(Routes& routes, GzipOptions options) {
  if (options.level < 1 || options.level > 9) {
    throw std::invalid_argument("the level of gzip is 1 to 9");
  }
  routes.after([options](const Request& request, Response& response) {
    compress(request, response, options);
  });
}

}}}  // namespace trireme::http
