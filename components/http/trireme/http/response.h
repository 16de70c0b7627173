// What an HTTP handler returns: a status, header fields and a body.
//
//   return http::text("hello");
//   return http::json(document.dump()).status(201).header("Location", "/things/7");
//   return http::problem(404, "no thing has this number");
//
// Thread: any. A Response is a value; one thread uses it at a time.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "trireme/borrowed.h"
#include "trireme/file.h"

namespace trireme { inline namespace v0 { namespace http {

// Any thread. The words of a status (RFC 9110, 15), such as "Not Found"; of one that is not known,
// those of its class.
std::string_view status_words(int status);

// A cookie to be set (RFC 6265).
struct Cookie {
  enum class SameSite : uint8_t { kLax, kStrict, kNone };

  std::string name{};
  std::string value{};
  std::string path = "/";
  std::string domain{};                         // empty: this host alone
  std::optional<std::chrono::seconds> max_age;  // none: until the browser ends; 0: delete it
  bool secure = false;                          // over TLS only; kNone needs it
  bool http_only = true;                        // no script sees it
  SameSite same_site = SameSite::kLax;
};

// A response. The server adds Date, Content-Length and Connection. It moves and does not copy.
//
// A name or a value that would break the head (CR, LF, NUL, or any other control character) is
// refused where it is given: std::invalid_argument, which costs this request a 500. So text of a
// client can never become a header field of its own.
class Response {
 public:
  // Any thread. A `std::string` is moved in; a `std::string_view` is copied, a literal and
  // `borrow(view)` are not (borrowed.h). Status: 200 to 599.
  explicit Response(int status = 200);
  Response(Response&&) noexcept = default;
  Response& operator=(Response&&) noexcept = default;
  Response(const Response&) = delete;
  Response& operator=(const Response&) = delete;

  // Any thread. Each changes the response and returns it, so that calls may be chained.
  Response& status(int status) &;
  Response&& status(int status) && { return std::move(this->status(status)); }
  Response& body(std::string body) &;
  Response&& body(std::string body) && { return std::move(this->body(std::move(body))); }
  Response& body(BorrowedBytes body) &;
  Response&& body(BorrowedBytes body) && { return std::move(this->body(body)); }
  // Any thread. A part of a file, or all of it (trireme/file.h): it leaves without a way through
  // memory where the transport is plain, and never makes a loop wait for a disk.
  Response& body(FileRange range) &;
  Response&& body(FileRange range) && { return std::move(this->body(std::move(range))); }

  // Any thread. Adds a header field. Content-Length, Transfer-Encoding, Connection and Date are the
  // server's: std::invalid_argument. Content-Type replaces the one before.
  Response& header(std::string_view name, std::string_view value) &;
  Response&& header(std::string_view name, std::string_view value) && {
    return std::move(header(name, value));
  }
  // Any thread. Adds a Set-Cookie.
  Response& cookie(const Cookie& cookie) &;
  Response&& cookie(const Cookie& cookie) && { return std::move(this->cookie(cookie)); }
  // Any thread. The connection ends in good order behind this response.
  Response& close() & {
    closes_ = true;
    return *this;
  }
  Response&& close() && { return std::move(close()); }

  // Any thread. What was given; borrowed from the response. fields(): lines of "Name: value", each
  // with its CR LF, without Content-Type.
  int status() const { return status_; }
  std::string_view content_type() const;
  std::string_view fields() const { return fields_; }
  std::string_view body() const { return is_owned_ ? std::string_view(owned_) : borrowed_; }
  const FileRange* file() const { return file_.get(); }  // null: body() is the body
  uint64_t body_bytes() const { return file_ == nullptr ? body().size() : file_->bytes; }
  bool closes() const { return closes_; }
  // Any thread. The value of a field that was given, the first of that name; empty: there is none.
  std::string_view header(std::string_view name) const;

  // Any thread. For the server, which moves the body on.
  bool owns_body() const { return is_owned_; }
  std::string take_body() && { return std::move(owned_); }
  FileRange take_file() && { return std::move(*file_); }
  // Any thread. For middleware: another body in its place.
  void replace_body(std::string body) {
    owned_ = std::move(body);
    is_owned_ = true;
    file_.reset();
  }
  // Any thread. For the server: of the answer to an upgrade, 101, which hooks see.
  static Response switching_protocols() {
    Response made;
    made.status_ = 101;
    return made;
  }
  // Any thread. With a type that is constant text.
  Response&& constant_type(std::string_view type) && {
    content_type_ = type;
    return std::move(*this);
  }

 private:
  std::string owned_;
  std::string fields_;
  std::string own_type_;  // in place of content_type_
  std::string_view borrowed_;
  std::string_view content_type_;    // constant text
  std::unique_ptr<FileRange> file_;  // in place of the others
  int16_t status_ = 200;
  bool is_owned_ = false;
  bool closes_ = false;
};

// Any thread. Bodies of a type. Text of a handler's own goes in as a std::string, a literal is not
// copied.
Response text(std::string body);
Response text(BorrowedBytes body);
Response html(std::string body);
Response html(BorrowedBytes body);
Response json(std::string body);
Response json(BorrowedBytes body);
template <size_t N>
Response text(const char (&literal)[N]) {
  return text(borrow(std::string_view(literal)));
}
template <size_t N>
Response html(const char (&literal)[N]) {
  return html(borrow(std::string_view(literal)));
}
template <size_t N>
Response json(const char (&literal)[N]) {
  return json(borrow(std::string_view(literal)));
}
// Any thread. An array that is not constant is no literal: its text is copied.
template <size_t N>
Response text(char (&own)[N]) {
  return text(std::string(own));
}
template <size_t N>
Response html(char (&own)[N]) {
  return html(std::string(own));
}
template <size_t N>
Response json(char (&own)[N]) {
  return json(std::string(own));
}

// Any thread. Sends the client to another place: 301, 302, 303, 307 or 308.
Response redirect(std::string_view location, int status = 302);

// Any thread. An error as application/problem+json (RFC 9457), with the words of its status as
// title. `detail` is for the client and may be any text.
Response problem(int status, std::string_view detail = {});

// Any thread. A refusal because of load, which clients may repeat after so long: 503.
Response busy(std::chrono::seconds retry_after = std::chrono::seconds(1));

// Any thread. The text as the inside of a JSON string.
std::string json_escaped(std::string_view text);

}}}  // namespace trireme::http
