// Step 5, reply: what a handler returns.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "trireme/codec.h"

namespace trireme { inline namespace v0 {

// The answer to one request: bytes for the codec to wrap, or an error, a refusal, or nothing.
// Move-only. A `std::string` is moved in, never copied. A `std::string_view` is borrowed, and read
// when the handler has returned, before other user code runs on that thread: a view of the request
// or of a constant is fine, one of a local variable is not.
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

  // After this answer the connection speaks `codec`. Only with Ordering::kSerial: else the client
  // gets an error reply instead, its connection is closed, and the log says why.
  Answer then(std::shared_ptr<const Codec> codec) && {
    next_codec_ = std::move(codec);
    return std::move(*this);
  }
  // After this answer the connection is closed in good order.
  Answer close_after() && {
    closes_ = true;
    return std::move(*this);
  }

  Kind kind() const { return kind_; }
  std::string_view text() const { return is_owned_ ? std::string_view(owned_) : view_; }
  bool closes() const { return closes_; }
  bool is_owned() const { return is_owned_; }
  const std::shared_ptr<const Codec>& next_codec() const { return next_codec_; }
  std::string take_owned() && { return std::move(owned_); }  // only when is_owned()
  // The same answer with its bytes elsewhere, or copied: for what must outlive the handler.
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

// Any thread. The same text on one line: every "\n" and "\r" becomes a space. For text from
// elsewhere in an answer of `lines()`, whose end a newline would be.
inline std::string one_line(std::string text) {
  for (char& byte : text) {
    if (byte == '\n' || byte == '\r') byte = ' ';
  }
  return text;
}

// The codec's error reply; the connection lives on (unless the codec has no error reply). One
// sentence; it goes out as one_line().
inline Answer error(std::string sentence) {
  Answer answer(one_line(std::move(sentence)));
  answer.kind_ = Answer::Kind::kError;
  return answer;
}

// The codec's "busy" reply.
inline Answer busy() {
  Answer answer{std::string_view{}};
  answer.kind_ = Answer::Kind::kBusy;
  return answer;
}

// Nothing is sent: for protocols with requests that have no reply.
inline Answer no_answer() {
  Answer answer{std::string_view{}};
  answer.kind_ = Answer::Kind::kNone;
  return answer;
}

}}  // namespace trireme
