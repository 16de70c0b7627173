// What the decoder tells of a request beside its bytes: where its parts are, as offsets, so that
// the bytes may move. For the server; users have http::Request.
//
// Step 3, framing. Thread: any.
#pragma once

#include <cstdint>
#include <string_view>

namespace trireme { inline namespace v0 { namespace http {

enum class Method : uint8_t {
  kGet,
  kHead,
  kPost,
  kPut,
  kPatch,
  kDelete,
  kOptions,
  kTrace,
  kConnect,
  kOther,  // of WebDAV and its like: by its name
};

// 12 bytes, which go with the request. The message is: request line, fields, empty line, content
// (whole and without chunks), trailer lines.
struct MessageFacts {
  enum Flag : uint8_t {
    kKeepAlive = 1,     // the client goes on after the reply, if the server does
    kVersion10 = 2,     // HTTP/1.0: no chunks in the reply, keep-alive only if the reply says so
    kAbsoluteForm = 4,  // the target is a URL: target_at is where its path begins
    kExpects = 8,       // the client waits for 100 Continue
    kUpgrade = 16,      // Connection: upgrade, and a field Upgrade
    kChunked = 32,      // the content came in chunks
  };

  uint16_t head_bytes = 0;     // with the empty line
  uint16_t target_at = 0;      // where the path begins, in the message
  uint16_t path_bytes = 0;     // as it came, with its percent signs
  uint16_t query_bytes = 0;    // with its "?"; 0: there is none
  uint16_t trailer_bytes = 0;  // at the end of the message
  Method method = Method::kGet;
  uint8_t flags = 0;

  // Any thread. Of the message that they describe, wherever it lies now.
  bool has(Flag flag) const { return (flags & flag) != 0; }
  std::string_view path_of(std::string_view message) const {
    return message.substr(target_at, path_bytes);
  }
  std::string_view query_of(std::string_view message) const {
    return message.substr(target_at + size_t{path_bytes}, query_bytes);
  }
};
static_assert(sizeof(MessageFacts) == 12);

}}}  // namespace trireme::http
