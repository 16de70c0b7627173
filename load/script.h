// The language of `trireme bench script`: what to send to any server, and what must come back.
//
//   send "TEXT"          queues bytes; escapes \n \r \t \0 \\ \" \$ \xHH; ${connection}, ${round}
//   expect "TEXT"        exactly these bytes come next
//   expect-line ["TEXT"] a line comes next, this one if a text is given; without its \n or \r\n
//   expect-regex "RE"    a line comes next in which the POSIX extended expression matches
//   expect-close         the server closes, and has sent nothing more; then connects again
//   pause TIME           waits before it goes on, receiving meanwhile
//   repeat N | forever   ... end: the steps between, so many times
//   close                closes, and connects again for the next step
//   # comment
//
// From its end a script goes on at its beginning: that is one round. Part of the load engine; a
// script is immutable once parsed, and shared by the threads of a load.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "trireme/result.h"

namespace load {

namespace tr = trireme;

// Bytes with variables in them.
class ScriptText {
 public:
  void add_literal(char byte);
  // False: there is no such variable.
  bool add_variable(std::string_view name);

  bool empty() const { return pieces_.empty(); }
  void append_to(std::string& out, uint64_t connection, uint64_t round) const;

 private:
  enum class Kind { kLiteral, kConnection, kRound };
  struct Piece {
    Kind kind;
    std::string bytes;
  };
  std::vector<Piece> pieces_;
};

struct ScriptStep {
  enum class Kind {
    kSend,
    kExpect,
    kExpectLine,
    kExpectRegex,
    kExpectClose,
    kPause,
    kRepeat,
    kEnd,
    kClose
  };
  static constexpr uint64_t kForever = 0;

  Kind kind;
  size_t line = 0;         // of the file
  ScriptText text{};       // of kSend, kExpect, kExpectLine
  bool any_line = false;   // kExpectLine without a text
  std::string regex{};     // of kExpectRegex
  int64_t pause_ns = 0;    // of kPause
  uint64_t turns = 0;      // of kRepeat
  size_t first_inner = 0;  // of kEnd: the first step of its repeat
  bool forever = false;    // of kEnd: of a `repeat forever`

  bool expects() const { return kind >= Kind::kExpect && kind <= Kind::kExpectClose; }
  // Whatever is repeated must contain one, or it would go round without an end.
  bool waits() const { return expects() || kind == Kind::kPause || kind == Kind::kClose; }
};

struct Script {
  std::vector<ScriptStep> steps;

  bool pauses() const;
};

// The error names the line: "line 3: ...".
tr::Result<Script> parse_script(std::string_view text);
tr::Result<Script> read_script(const std::string& file);

}  // namespace load
