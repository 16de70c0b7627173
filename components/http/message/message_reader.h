// Requests out of the bytes of one connection: heads, their content, whole and in order. A message
// whose length is known stays where it is. Content in chunks is gathered, so that what surrounds it
// is never kept. Between two requests it keeps nothing but zeros.
//
// Step 3, framing. Thread: the holder of the loop; pure. Bounded: MessageLimits.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "http/message/chunked_content.h"
#include "http/message/head.h"

namespace trireme { inline namespace v0 { namespace http {

struct MessageLimits {
  HeadLimits head{};
  uint64_t content_bytes_max = 1 << 20;  // over it 413
  uint32_t empty_lines_max = 8;          // before a request; over it the client is left
};

// Is asked about each head, once.
class HeadJudge {
 public:
  // May refuse the request, or change what its content may have.
  virtual Refusal judge(std::string_view head, const MessageFacts& facts,
                        uint64_t& content_bytes_max) = 0;

 protected:
  ~HeadJudge() = default;
};

class MessageReader {
 public:
  enum class Kind : uint8_t {
    kMore,     // the message is not whole; nothing is consumed
    kPart,     // `consumed` bytes are: a part of a message in chunks, or an empty line before one
    kMessage,  // whole, in `message` or, if not empty, in `owned`
    kRefused,  // `refusal` says why; nothing behind it can be read
    kNobody,   // empty lines and no request: not worth a word
  };
  struct Found {
    Kind kind = Kind::kMore;
    // Of a head that has just become whole, with content that is still to come: the client waits
    // for 100 Continue. Once a message.
    bool wants_continue = false;
    size_t consumed = 0;
    std::string_view message{};  // in the consumed bytes: head, content, trailer lines
    std::string owned{};
    MessageFacts facts{};  // of the message; of a refused one zeros if its head is not known
    Refusal refusal{};
  };

  // `input`: all bytes that were not consumed. Chunks in it are moved.
  Found read(std::span<char> input, const MessageLimits& limits, HeadJudge* judge = nullptr);

  // Bytes of a message have come, and not all of it.
  bool in_message() const { return seen_ > 0 || phase_ != Phase::kHead; }
  size_t bytes_held() const { return gathered_.size(); }

 private:
  enum class Phase : uint8_t { kHead, kContent, kChunks };

  Found read_empty_line(std::span<char> input, const MessageLimits& limits);
  Found read_head_of(std::span<char> input, const MessageLimits& limits, HeadJudge* judge);
  Found read_content(std::span<char> input);
  Found read_chunks(std::span<char> input);
  Found finish(std::string_view message, size_t consumed);
  Found refuse(const Refusal& refusal) const;

  Phase phase_ = Phase::kHead;
  uint8_t empty_lines_ = 0;
  MessageFacts facts_;
  HeadEnd head_end_;
  size_t seen_ = 0;             // of the input, in the last call
  uint64_t content_bytes_ = 0;  // by Content-Length
  ChunkLimits chunk_limits_;
  ChunkedContent chunks_;
  std::string gathered_;  // kChunks: the head, and what has come of the content
};

}}}  // namespace trireme::http
