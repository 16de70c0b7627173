// The head of a request: where it ends, and what it says. llhttp reads it; a gate around llhttp
// refuses what is ambiguous, so that no two readers of one stream can see different requests in it.
//
// A head is given to llhttp when all of it has arrived, in one piece: so its offsets are plain
// differences, and what a connection keeps between two reads is one number.
//
// Refused, beside what llhttp refuses in its strict mode: CR or LF alone, folded lines, a field
// without a name, two blanks in the request line, two lengths of any kind, a transfer coding other
// than "chunked" alone, two Hosts or a Host that is none, a target that fits no form of RFC 9112,
// 3.2, or that has a broken percent code or a fragment.
//
// Step 3, framing. Thread: any, pure. Bounded: HeadLimits.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "trireme/http/message_facts.h"

namespace trireme { inline namespace v0 { namespace http {

// At most 65,535 each: MessageFacts counts with 16 bits.
struct HeadLimits {
  uint32_t line_bytes_max = 16 << 10;  // of the request line; over it 414
  uint32_t head_bytes_max = 32 << 10;  // of request line and fields; over it 431
  uint32_t fields_max = 100;           // over it 431
};

// The status with which a request is refused, and the reason, which is static text. 0: all is well.
struct Refusal {
  uint16_t status = 0;
  std::string_view reason{};

  explicit operator bool() const { return status != 0; }
};

// Finds the end of a head in a stream that grows.
class HeadEnd {
 public:
  // Looks at the bytes that are new since the last call. `input` begins with the request line.
  // True: the head is there, and has bytes() bytes. Else more is needed, or refusal() says why not.
  bool find(std::string_view input, const HeadLimits& limits);
  size_t bytes() const { return scanned_; }
  const Refusal& refusal() const { return refusal_; }
  void reset() { *this = HeadEnd(); }

 private:
  bool refuse(uint16_t status, std::string_view reason);
  bool judge_start(std::string_view input);
  bool judge_length(size_t bytes, const HeadLimits& limits);

  uint32_t scanned_ = 0;  // what comes before is whole lines
  uint32_t lines_ = 0;
  Refusal refusal_;
};

// What a head says of its content and its connection, beside the facts.
struct Head {
  MessageFacts facts;
  uint64_t content_bytes = 0;  // by Content-Length
  bool chunked = false;
};

// Reads a head that HeadEnd has found, all of it and nothing else. Changes one byte where the
// version is 1.2 to 1.9, which are served as 1.1 (RFC 9110, 2.5).
Refusal read_head(std::span<char> bytes, const HeadLimits& limits, Head& into);

// Whether requests of that method are read: those that llhttp knows, less CONNECT.
bool is_known_method(std::string_view name);

}}}  // namespace trireme::http
