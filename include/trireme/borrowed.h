// Bytes that are not the reader's own, and how long they last.
//
// Thread: any; values.
#pragma once

#include <string_view>

namespace trireme { inline namespace v0 {

// The text of a request: borrowed until its handler returns. As an answer it is not copied, for
// the request outlives the answer's way into the server. A part of it, which is a plain
// std::string_view, is copied.
class RequestText : public std::string_view {
 public:
  explicit constexpr RequestText(std::string_view bytes) : std::string_view(bytes) {}
};

// Bytes that nobody copies: borrow().
struct BorrowedBytes {
  std::string_view bytes{};
};

// Any thread. As an answer, these bytes are not copied when the handler gives them. They must stay
// as they are until it has returned and its answer was taken, before other user code runs on that
// thread: a constant, a part of the request, never a local variable.
inline BorrowedBytes borrow(std::string_view bytes) { return {bytes}; }

}}  // namespace trireme
