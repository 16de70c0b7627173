#include "trireme/http/response.h"

#include <algorithm>
#include <array>
#include <stdexcept>

#include "http/message/characters.h"
#include "http/message/fields.h"

namespace trireme { inline namespace v0 { namespace http {

namespace {

constexpr std::string_view kText = "text/plain; charset=utf-8";
constexpr std::string_view kHtml = "text/html; charset=utf-8";
constexpr std::string_view kJson = "application/json";
constexpr std::string_view kProblem = "application/problem+json";

struct Status {
  int number;
  std::string_view words;
};
constexpr std::array kStatuses = {
    Status{100, "Continue"},
    Status{101, "Switching Protocols"},
    Status{103, "Early Hints"},
    Status{200, "OK"},
    Status{201, "Created"},
    Status{202, "Accepted"},
    Status{203, "Non-Authoritative Information"},
    Status{204, "No Content"},
    Status{205, "Reset Content"},
    Status{206, "Partial Content"},
    Status{300, "Multiple Choices"},
    Status{301, "Moved Permanently"},
    Status{302, "Found"},
    Status{303, "See Other"},
    Status{304, "Not Modified"},
    Status{307, "Temporary Redirect"},
    Status{308, "Permanent Redirect"},
    Status{400, "Bad Request"},
    Status{401, "Unauthorized"},
    Status{402, "Payment Required"},
    Status{403, "Forbidden"},
    Status{404, "Not Found"},
    Status{405, "Method Not Allowed"},
    Status{406, "Not Acceptable"},
    Status{408, "Request Timeout"},
    Status{409, "Conflict"},
    Status{410, "Gone"},
    Status{411, "Length Required"},
    Status{412, "Precondition Failed"},
    Status{413, "Content Too Large"},
    Status{414, "URI Too Long"},
    Status{415, "Unsupported Media Type"},
    Status{416, "Range Not Satisfiable"},
    Status{417, "Expectation Failed"},
    Status{421, "Misdirected Request"},
    Status{422, "Unprocessable Content"},
    Status{423, "Locked"},
    Status{425, "Too Early"},
    Status{426, "Upgrade Required"},
    Status{428, "Precondition Required"},
    Status{429, "Too Many Requests"},
    Status{431, "Request Header Fields Too Large"},
    Status{451, "Unavailable For Legal Reasons"},
    Status{500, "Internal Server Error"},
    Status{501, "Not Implemented"},
    Status{502, "Bad Gateway"},
    Status{503, "Service Unavailable"},
    Status{504, "Gateway Timeout"},
    Status{505, "HTTP Version Not Supported"},
    Status{507, "Insufficient Storage"},
};

bool is_value(std::string_view value) { return all_of(value, kValueCharacter); }

// What the server alone may say, because it frames the message.
bool is_server_field(std::string_view name) {
  constexpr std::array<std::string_view, 4> names = {"content-length", "transfer-encoding",
                                                     "connection", "date"};
  return std::any_of(names.begin(), names.end(),
                     [&](std::string_view one) { return equal_ignoring_case(one, name); });
}

// RFC 6265, 4.1.1: what a value may have without quotes.
bool is_cookie_value(std::string_view text) {
  return all_of(text, kTagCharacter) && text.find_first_of(",;\\") == std::string_view::npos;
}
bool is_cookie_attribute(std::string_view text) {
  return is_value(text) && text.find(';') == std::string_view::npos;
}

Response typed(std::string_view type, std::string body) {
  return Response().body(std::move(body)).constant_type(type);
}
Response typed(std::string_view type, BorrowedBytes body) {
  return Response().body(body).constant_type(type);
}

}  // namespace

std::string_view status_words(int status) {
  const auto found = std::lower_bound(kStatuses.begin(), kStatuses.end(), status,
                                      [](const Status& a, int b) { return a.number < b; });
  if (found != kStatuses.end() && found->number == status) return found->words;
  constexpr std::array<std::string_view, 5> classes = {"Informational", "Successful", "Redirection",
                                                       "Client Error", "Server Error"};
  return classes[static_cast<size_t>(std::clamp(status / 100, 1, 5) - 1)];
}

Response::Response(int status) { this->status(status); }

Response& Response::status(int status) & {
  if (status < 200 || status > 599) {
    throw std::invalid_argument("the status of a response is 200 to 599");
  }
  status_ = static_cast<int16_t>(status);
  return *this;
}

Response& Response::body(std::string body) & {
  replace_body(std::move(body));
  return *this;
}

Response& Response::body(BorrowedBytes body) & {
  borrowed_ = body.bytes;
  is_owned_ = false;
  file_.reset();
  return *this;
}

Response& Response::body(FileRange range) & {
  file_ = std::make_unique<FileRange>(std::move(range).clamped());
  owned_.clear();
  borrowed_ = {};
  is_owned_ = false;
  return *this;
}

Response& Response::header(std::string_view name, std::string_view value) & {
  if (!is_token(name)) throw std::invalid_argument("the name of a header field is no token");
  if (!is_value(value)) {
    throw std::invalid_argument("the value of a header field has a control character");
  }
  if (is_server_field(name)) {
    throw std::invalid_argument("the server alone says " + std::string(name));
  }
  value = trim(value);
  if (equal_ignoring_case(name, "content-type")) {
    own_type_ = value;
    content_type_ = {};
    return *this;
  }
  fields_.append(name).append(": ").append(value).append("\r\n");
  return *this;
}

std::string_view Response::content_type() const {
  return own_type_.empty() ? content_type_ : std::string_view(own_type_);
}

std::string_view Response::header(std::string_view name) const {
  if (equal_ignoring_case(name, "content-type")) return content_type();
  return find_field(fields_, name);
}

Response& Response::cookie(const Cookie& cookie) & {
  if (!is_token(cookie.name)) throw std::invalid_argument("the name of a cookie is no token");
  if (!is_cookie_value(cookie.value)) {
    throw std::invalid_argument("the value of a cookie has a character that needs to be encoded");
  }
  if (!is_cookie_attribute(cookie.path) || !is_cookie_attribute(cookie.domain)) {
    throw std::invalid_argument("an attribute of a cookie has a semicolon or a control character");
  }
  if (cookie.same_site == Cookie::SameSite::kNone && !cookie.secure) {
    throw std::invalid_argument("a cookie for other sites must be secure");
  }
  std::string value = cookie.name + "=" + cookie.value;
  if (!cookie.path.empty()) value += "; Path=" + cookie.path;
  if (!cookie.domain.empty()) value += "; Domain=" + cookie.domain;
  if (cookie.max_age) value += "; Max-Age=" + std::to_string(cookie.max_age->count());
  if (cookie.secure) value += "; Secure";
  if (cookie.http_only) value += "; HttpOnly";
  constexpr std::array<std::string_view, 3> sites = {"Lax", "Strict", "None"};
  value.append("; SameSite=").append(sites[static_cast<size_t>(cookie.same_site)]);
  return header("Set-Cookie", value);
}

Response text(std::string body) { return typed(kText, std::move(body)); }
Response text(BorrowedBytes body) { return typed(kText, body); }
Response html(std::string body) { return typed(kHtml, std::move(body)); }
Response html(BorrowedBytes body) { return typed(kHtml, body); }
Response json(std::string body) { return typed(kJson, std::move(body)); }
Response json(BorrowedBytes body) { return typed(kJson, body); }

Response redirect(std::string_view location, int status) {
  if (status != 301 && status != 302 && status != 303 && status != 307 && status != 308) {
    throw std::invalid_argument("the status of a redirection is 301, 302, 303, 307 or 308");
  }
  return Response(status).header("Location", location);
}

std::string json_escaped(std::string_view text) {
  constexpr std::string_view digits = "0123456789abcdef";
  std::string made;
  made.reserve(text.size());
  for (const char byte : text) {
    const auto value = static_cast<unsigned char>(byte);
    if (byte == '"' || byte == '\\') {
      made += '\\';
      made += byte;
    } else if (value < 32) {
      made += "\\u00";
      made += digits[value >> 4];
      made += digits[value & 15];
    } else {
      made += byte;
    }
  }
  return made;
}

Response problem(int status, std::string_view detail) {
  std::string body = "{\"title\":\"" + std::string(status_words(status)) +
                     "\",\"status\":" + std::to_string(status);
  if (!detail.empty()) body += ",\"detail\":\"" + json_escaped(detail) + "\"";
  body += "}\n";
  return Response(status).body(std::move(body)).constant_type(kProblem);
}

Response busy(std::chrono::seconds retry_after) {
  return problem(503).header("Retry-After", std::to_string(retry_after.count()));
}

}}}  // namespace trireme::http
