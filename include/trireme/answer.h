// Step 5, reply: what a handler returns.
//
// Thread: any. An Answer is a value; one thread uses it at a time.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "trireme/codec.h"

namespace trireme { inline namespace v0 {

// The answer to one request: bytes for the codec to wrap, or an error, a refusal, or nothing. A
// value that moves and does not copy.
//
// A `std::string` is moved in, never copied. A `std::string_view` is borrowed: the server reads it
// when the handler has returned, before other user code runs on that thread. So a view must point
// into the request or at a constant, never at a local variable.
class Answer {
 public:
  enum class Kind : uint8_t { kBytes, kError, kBusy, kNone };

  Answer(std::string bytes)
      : owned_(std::move(bytes)), is_owned_(true) {}  // NOLINT: conversions are the point
  Answer(std::string_view bytes) : view_(bytes) {}    // NOLINT
  Answer(const char* text) : view_(text) {}           // NOLINT

  Answer(Answer&&) noexcept = default;
  Answer& operator=(Answer&&) noexcept = default;
  Answer(const Answer&) = delete;
  Answer& operator=(const Answer&) = delete;

  // Any thread. The connection speaks `codec` after this answer. Needs Ordering::kSerial. With
  // kPipelined the client gets an error reply instead, the connection is closed, and the log says
  // why.
  Answer then(std::shared_ptr<const Codec> codec) && {
    next_codec_ = std::move(codec);
    return std::move(*this);
  }
  // Any thread. The connection is closed in good order after this answer.
  Answer close_after() && {
    closes_ = true;
    return std::move(*this);
  }

  // Any thread. What was given, for tests of handlers. The text is borrowed from the answer, or
  // from where the handler has borrowed it. Codec: null without then().
  Kind kind() const { return kind_; }
  std::string_view text() const { return is_owned_ ? std::string_view(owned_) : view_; }
  bool closes() const { return closes_; }
  const std::shared_ptr<const Codec>& next_codec() const { return next_codec_; }

  // Any thread. For the server, which moves the bytes on: whether the answer owns them, and only
  // then take_owned(); the same answer with a view of `bytes`, which are borrowed, or with a copy.
  bool is_owned() const { return is_owned_; }
  std::string take_owned() && { return std::move(owned_); }
  Answer with_view(std::string_view bytes) && {
    view_ = bytes;
    is_owned_ = false;
    return std::move(*this);
  }
  Answer with_copy() && {
    if (!is_owned_) owned_.assign(view_);
    is_owned_ = true;
    return std::move(*this);
  }

 private:
  friend Answer error(std::string sentence);
  friend Answer busy();
  friend Answer no_answer();

  std::string owned_;
  std::string_view view_;
  std::shared_ptr<const Codec> next_codec_;
  Kind kind_ = Kind::kBytes;
  bool is_owned_ = false;
  bool closes_ = false;
};

// Any thread. The same text on one line: every "\n" and "\r" becomes a space. An answer of
// `lines()` ends at its first newline, so text from elsewhere must go through this function.
inline std::string one_line(std::string text) {
  for (char& byte : text) {
    if (byte == '\n' || byte == '\r') byte = ' ';
  }
  return text;
}

// Any thread. The codec's error reply. The connection lives on, unless the codec has no error
// reply. The sentence goes out as one_line().
inline Answer error(std::string sentence) {
  Answer answer(one_line(std::move(sentence)));
  answer.kind_ = Answer::Kind::kError;
  return answer;
}

// Any thread. The codec's "busy" reply. The connection lives on.
inline Answer busy() {
  Answer answer{std::string_view{}};
  answer.kind_ = Answer::Kind::kBusy;
  return answer;
}

// Any thread. Sends nothing, for requests of protocols that define no reply to them.
inline Answer no_answer() {
  Answer answer{std::string_view{}};
  answer.kind_ = Answer::Kind::kNone;
  return answer;
}

}}  // namespace trireme
