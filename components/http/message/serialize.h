// A response as bytes: head and body behind each other, framed for the request that it answers.
//
// Step 5, reply. Thread: any. A head has no allocation of its own.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "http/message/date.h"
#include "trireme/http/message_facts.h"
#include "trireme/http/response.h"

namespace trireme { inline namespace v0 { namespace http {

// How a client knows where the body ends: by Content-Length, by chunks, or by the end of the
// connection, for clients of HTTP/1.0.
enum class BodyEnd : uint8_t { kLength, kChunks, kConnection };

// How the answer to one request is framed.
struct ReplyFraming {
  bool drops_body = false;  // the request is HEAD
  bool old = false;         // the request is of HTTP/1.0: it must be told that the connection lives
  bool closes = false;      // the connection ends behind it
  BodyEnd body_end = BodyEnd::kLength;

  static ReplyFraming of(const MessageFacts& facts) {
    return {facts.method == Method::kHead, facts.has(MessageFacts::kVersion10),
            !facts.has(MessageFacts::kKeepAlive), BodyEnd::kLength};
  }
};

// Whether a response of this status has a length (RFC 9110, 8.6), and whether it has a body: that
// of 205 has none, but says so.
constexpr bool status_has_length(int status) { return status != 204 && status != 304; }
constexpr bool status_has_body(int status) { return status_has_length(status) && status != 205; }

// Room that a head needs at most, and what put_head() has used of it. `body_bytes`: what
// Content-Length says, if the body ends by it.
size_t head_bytes_max(const Response& response);
size_t put_head(const Response& response, const ReplyFraming& framing, uint64_t body_bytes,
                DateCache& dates, int64_t now, char* into);

// Bytes that leave as the body.
std::string_view sent_body(const Response& response, const ReplyFraming& framing);

// All of it as one string. Takes the body.
std::string serialize(Response&& response, const ReplyFraming& framing, DateCache& dates,
                      int64_t now);

}}}  // namespace trireme::http
