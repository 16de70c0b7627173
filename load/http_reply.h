// What a server of HTTP/1.1 or 1.0 sends back, cut into its replies: enough of the protocol to know
// where a reply ends, with any server. And the URLs of the load.
//
// Part of the load engine; a reader belongs to one connection and its thread, the functions are
// pure.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "trireme/result.h"

namespace load {

namespace tr = trireme;

// The value of the first field of that name among the lines of a head; empty: there is none.
std::string_view field_of(std::string_view head, std::string_view name);

class HttpReplyReader {
 public:
  enum class Found : uint8_t {
    kMore,     // all was taken, and more must come
    kContent,  // content() is the next piece of it
    kReply,    // a reply is whole: status(), content_bytes(), ends_connection()
    kFault,    // no HTTP, or more than a load takes: nothing can be read behind it
  };

  // Takes the next piece off `bytes`. What content() gives lies there.
  Found next(std::string_view& bytes);
  // The server has ended its stream. kReply if that ends a reply, kMore if none had begun.
  Found end();
  // Replies have no content, whatever their heads say: those to HEAD.
  void expect_no_content() { expects_no_content_ = true; }

  std::string_view content() const { return content_; }
  int status() const { return status_; }
  // Of this reply so far, with content().
  uint64_t content_bytes() const { return content_bytes_; }
  bool ends_connection() const { return ends_connection_; }

 private:
  enum class Phase : uint8_t {
    kHead,
    kLength,
    kChunkLine,
    kChunk,
    kChunkEnd,
    kTrailer,
    kUntilEnd,
    kDone,
  };

  bool take_until(std::string_view ending, std::string_view& bytes, std::string_view& text);
  Found step(std::string_view& bytes);
  bool read_head(std::string_view head);
  bool read_line(std::string_view line);
  Found take_content(std::string_view& bytes);
  void begin_content(bool has_none, bool in_chunks, std::string_view length);

  std::string held_;  // of a line or head that was cut
  std::string_view content_;
  uint64_t left_ = 0;
  uint64_t content_bytes_ = 0;
  int status_ = 0;
  Phase phase_ = Phase::kHead;
  bool held_is_used_ = false;  // the next line begins anew
  bool ends_connection_ = false;
  bool expects_no_content_ = false;
};

// A URL http://HOST[:PORT][/PATH][?QUERY], or ws:// likewise, in its parts.
struct WebUrl {
  std::string endpoint;      // tcp://HOST:PORT, or tls://
  std::string host;          // as the field Host says it
  std::string target = "/";  // path and query
  bool is_secure = false;    // https, wss
};
// `scheme`: "http" or "ws", which its secure form may stand for. The error is of code kUsage.
tr::Result<WebUrl> read_web_url(std::string_view url, std::string_view scheme);

}  // namespace load
