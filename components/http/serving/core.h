// What codec, service and kept replies of one http::serve() share.
//
// Step 3 to 5. Thread: any; it only reads, dates excepted, which are made for that.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "http/message/date.h"
#include "http/message/message_reader.h"
#include "http/message/serialize.h"
#include "http/serving/route_table.h"
#include "trireme/answer.h"
#include "trireme/http/serve.h"

namespace trireme { inline namespace v0 { namespace http {

// The kind of a request is the number of its route and 1; 0: there is none.
constexpr uint32_t kNoRoute = 0;

class ServingCore {
 public:
  ServingCore(Routes routes, const ServeOptions& options);

  const HeadLimits& limits() const { return limits_; }
  uint32_t kind_of(std::string_view path, Method method, std::string_view method_name) const;
  // Whether a path has a route, by whatever method.
  bool has_path(std::string_view path) const;
  // Null for kNoRoute.
  const Route* route_of(uint32_t kind) const;

  // Whether some route makes a connection speak something else.
  bool upgrades() const;

  // The response to a request: of its handler through `exchange`, or one of the server's own.
  void serve(const Request& request, const Route* route, detail::Exchange& exchange) const;
  void finish(const Request& request, Response& response) const;
  bool has_after_hooks() const;
  // A handler has thrown: hooks hear of the 500 that the server makes of it. Never throws.
  void tell_failed(const Request& request) const noexcept;

  // A response as an answer, which owns its bytes.
  Answer answer(Response&& response, ReplyFraming framing) const;
  // The same in `buffer`, if it is small; the answer borrows it.
  template <size_t N>
  Answer answer_in(char (&buffer)[N], Response&& response, ReplyFraming framing) const {
    const std::string_view body = sent_body(response, framing);
    const bool is_small = head_bytes_max(response) + body.size() <= N;
    if (!is_small || response.file() != nullptr) return answer(std::move(response), framing);
    const size_t head = put(response, framing, buffer);
    body.copy(buffer + head, body.size());
    return ended(Answer(borrow({buffer, head + body.size()})), framing.closes);
  }
  // The head of a response whose body comes behind it.
  std::string head(const Response& response, const ReplyFraming& framing) const;
  // The date of now, as a field with its line end.
  std::string date_field() const;
  // An error of the server, whole: its text is for people.
  std::string error_text(int status, std::string_view detail, const ReplyFraming& framing) const;

 private:
  static Answer ended(Answer answer, bool closes) {
    return closes ? std::move(answer).close_after() : std::move(answer);
  }
  Answer answer_of_file(Response&& response, const ReplyFraming& framing) const;
  size_t put(const Response& response, const ReplyFraming& framing, char* into) const;
  static int64_t now();
  Response without_route(const Request& request) const;

  std::unique_ptr<Routes::Table> table_;
  HeadLimits limits_;
  mutable DateCache dates_;
};

// An error as the client wants it: problem+json if it prefers JSON, else text.
Response error_response(int status, std::string_view detail, std::string_view accept);

}}}  // namespace trireme::http
