// What an HTTP handler gets.
//
// Thread: any, as long as the handler has not returned; one at a time.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "trireme/http/message_facts.h"
#include "trireme/request.h"

namespace trireme { inline namespace v0 { namespace http {

class RoutePattern;

// Names and values, decoded, in the order in which they came.
using Pairs = std::vector<std::pair<std::string, std::string>>;

// One part of a form with files (RFC 7578). The content is borrowed from the request.
struct Part {
  std::string name{};          // of the control
  std::string file_name{};     // as the client says; empty: it is no file. Never a path to be used
  std::string content_type{};  // empty: text/plain
  std::string_view content{};
};

// One request. The handler borrows the object and its bytes until it returns: a string_view that a
// function gives is of no use later, a std::string is the handler's own.
//
// Nothing is parsed before it is asked for; what is asked for twice is parsed twice.
class Request {
 public:
  // Any thread. For the server, and for tests. `pattern`: of its route, or null.
  Request(const trireme::Request& base, const MessageFacts& facts, const RoutePattern* pattern)
      : base_(&base), message_(base.text()), facts_(facts), pattern_(pattern) {}
  // Any thread. For the server: one whose handler has returned, and of which nothing but its head
  // is kept.
  Request(std::string_view head, const MessageFacts& facts, const Peer& peer)
      : message_(head), facts_(facts), kept_peer_(peer) {
    facts_.trailer_bytes = 0;
  }
  Request(const Request&) = delete;
  Request& operator=(const Request&) = delete;

  // Any thread. The request line: the method, as text too; the path as it came, with its percent
  // codes; the query without its "?", likewise. Whether the version is 1.0.
  Method method() const { return facts_.method; }
  std::string_view method_name() const { return message_.substr(0, message_.find(' ')); }
  std::string_view path() const;
  std::string_view query_text() const;
  bool is_old() const { return facts_.has(MessageFacts::kVersion10); }

  // Any thread. A parameter of the route, decoded: of "/hello/:name" what stands for `name`. Empty
  // if the route has no such parameter.
  std::string param(std::string_view name) const;
  // Any thread. The first value of a name in the query, decoded; none: it is not there. All of
  // them; none: there are more than 1,000.
  std::optional<std::string> query(std::string_view name) const;
  std::optional<Pairs> query() const;

  // Any thread. The first field of that name; empty if there is none. Whether there is one. All
  // fields, as lines that each end in CR LF.
  std::string_view header(std::string_view name) const;
  bool has_header(std::string_view name) const;
  std::string_view fields() const;
  // Any thread. A field behind content in chunks.
  std::string_view trailer(std::string_view name) const;
  // Any thread. A cookie, as it came; none: it is not there.
  std::optional<std::string_view> cookie(std::string_view name) const;
  // Any thread. Whom the client believes to talk to, "example.org:8080": of the target if that is a
  // URL, else of the field Host. It is only what the client says.
  std::string_view host() const;

  // Any thread. The content, whole and without chunks.
  std::string_view body() const;
  // Any thread. The content as a form; none: Content-Type says otherwise, or it is over a limit.
  std::optional<Pairs> form() const;
  std::optional<std::vector<Part>> parts() const;

  // Any thread. As of trireme::Request: whether the answer is still wanted, and the client.
  Cancellation cancelled() const {
    return base_ == nullptr ? Cancellation(CancelReason::kNone) : base_->cancelled();
  }
  Peer peer() const { return base_ == nullptr ? kept_peer_ : base_->peer(); }
  // Any thread. For the server.
  const MessageFacts& facts() const { return facts_; }
  std::string_view head() const { return message_.substr(0, facts_.head_bytes); }

 private:
  const trireme::Request* base_ = nullptr;  // null: its handler has returned
  std::string_view message_;
  MessageFacts facts_;
  const RoutePattern* pattern_ = nullptr;
  Peer kept_peer_;
};

}}}  // namespace trireme::http
