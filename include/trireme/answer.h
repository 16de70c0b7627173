// Step 5, reply: what a handler returns.
//
// Thread: any. An Answer is a value; one thread uses it at a time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include "trireme/borrowed.h"
#include "trireme/bytes.h"
#include "trireme/codec.h"
#include "trireme/file.h"

namespace trireme { inline namespace v0 {

class Answer;
class LayerFactory;  // transport_layer.h
namespace detail {
Answer failed(Failure failure, std::string sentence);
Answer as_it_is(std::string bytes);
// Ends the process with a sentence if `is_given` is false.
void check_switch(bool is_given);
}  // namespace detail

// The answer to one request: bytes for the codec to wrap, or an error, a refusal, or nothing. A
// value that moves and does not copy.
//
// A `std::string` is moved in. A `std::string_view` is copied, unless the handler says
// `borrow(view)` (borrowed.h); a literal, and `request.text()` as it is, are borrowed. SharedBytes
// (bytes.h) are neither copied nor moved. A part of a file (file.h) leaves as the bytes that it
// has, without a way through memory where the transport is plain.
class Answer {
 public:
  // kAsIs: bytes that go out without anything around them, for the server.
  enum class Kind : uint8_t { kBytes, kError, kBusy, kNone, kAsIs };

  Answer(std::string bytes)
      : owned_(std::move(bytes)), is_owned_(true) {}  // NOLINT: conversions are the point
  Answer(std::string_view bytes) : owned_(bytes), is_owned_(true) {}                     // NOLINT
  Answer(const RequestText& text) : view_(text) {}                                       // NOLINT
  Answer(BorrowedBytes borrowed) : view_(borrowed.bytes) {}                              // NOLINT
  Answer(SharedBytes bytes) : view_(bytes.view()) { rare().shared = std::move(bytes); }  // NOLINT
  Answer(FileRange range) : view_("") { rare().file = std::move(range).clamped(); }      // NOLINT
  Answer(File file) : Answer(FileRange{std::move(file), 0, UINT64_MAX}) {}               // NOLINT
  template <size_t N>
  Answer(const char (&literal)[N]) : view_(literal) {}  // NOLINT
  template <size_t N>
  Answer(char (&text)[N]) : Answer(std::string_view(text)) {}  // NOLINT: copied
  template <class T>
  requires(std::is_same_v<T, const char*> || std::is_same_v<T, char*>)  // not arrays
      Answer(const T& text)
      : Answer(std::string_view(text)) {}  // NOLINT: copied

  Answer(Answer&&) noexcept = default;
  Answer& operator=(Answer&&) noexcept = default;
  Answer(const Answer&) = delete;
  Answer& operator=(const Answer&) = delete;

  // Any thread. The connection speaks `codec` after this answer. Needs Ordering::kSerial, and a
  // codec that does not decode ahead. Otherwise the client gets an error reply instead, the
  // connection is closed, and the log says why. A null codec, or layer, ends the process.
  Answer then(std::shared_ptr<const Codec> codec) && {
    detail::check_switch(codec != nullptr);
    rare().next_codec = std::move(codec);
    return std::move(*this);
  }
  // Any thread. Behind this answer a transport layer begins, such as TLS after STARTTLS (RFC 3207):
  // from now on the client's bytes go through it first. What was read behind the request is input
  // of the layer, never of the codec. No request starts before its handshake is done, and pushes
  // wait for that. Needs what then() needs. If the handshake fails the connection is closed. May be
  // used together with then().
  Answer then_layer(std::shared_ptr<const LayerFactory> layer) && {
    detail::check_switch(layer != nullptr);
    rare().next_layer = std::move(layer);
    return std::move(*this);
  }
  // Any thread. The connection is closed in good order after this answer.
  Answer close_after() && {
    closes_ = true;
    return std::move(*this);
  }
  // Any thread. What the codec's encode() is told of this answer, besides its bytes, in a form that
  // the two have agreed on: a status and headers. With a codec without an encoder it goes out as it
  // is, in front of all else.
  Answer with_head(std::string head) && {
    rare().head = std::move(head);
    return std::move(*this);
  }

  // Any thread. What was given, for tests of handlers. The text is borrowed from the answer, or
  // from where the handler has borrowed it. Codec: null without then(). Layer: null without
  // then_layer(). Failure and code: of error(), with kError. body_bytes(): of text or file.
  Kind kind() const { return kind_; }
  std::string_view text() const { return is_owned_ ? std::string_view(owned_) : view_; }
  const FileRange* file() const {  // null: it is no part of a file, whose text() is empty
    return rare_ != nullptr && rare_->file.file ? &rare_->file : nullptr;
  }
  uint64_t body_bytes() const { return file() != nullptr ? file()->bytes : text().size(); }
  bool closes() const { return closes_; }
  std::shared_ptr<const Codec> next_codec() const {
    return rare_ == nullptr ? nullptr : rare_->next_codec;
  }
  std::shared_ptr<const LayerFactory> next_layer() const {
    return rare_ == nullptr ? nullptr : rare_->next_layer;
  }
  std::string_view head() const { return rare_ == nullptr ? std::string_view{} : rare_->head; }
  Failure failure() const { return failure_; }
  uint32_t code() const { return code_; }

  // Any thread. then() or then_layer() was called.
  bool switches() const {
    return rare_ != nullptr && (rare_->next_codec != nullptr || rare_->next_layer != nullptr);
  }

  // Any thread. For the server, which moves the bytes on: whether the answer is nothing but bytes;
  // whether it owns them, and only then take_owned(); the bytes that it shares; whether it keeps
  // them in either way. The same answer with a view of `bytes`, which are borrowed, or with a copy
  // of what it does not keep.
  bool is_plain() const { return kind_ == Kind::kBytes && !closes_ && rare_ == nullptr; }
  bool is_owned() const { return is_owned_; }
  std::string take_owned() && { return std::move(owned_); }
  SharedBytes shared() const { return is_shared() ? rare_->shared : SharedBytes(); }
  bool is_shared() const { return rare_ != nullptr && rare_->shared.block() != nullptr; }
  bool keeps_bytes() const { return is_owned_ || is_shared() || file() != nullptr; }
  Answer with_view(std::string_view bytes) && {
    view_ = bytes;
    is_owned_ = false;
    if (rare_ != nullptr) rare_->shared = SharedBytes();
    if (rare_ != nullptr) rare_->file = FileRange();
    return std::move(*this);
  }
  Answer with_copy() && {
    if (keeps_bytes()) return std::move(*this);
    owned_.assign(view_);
    is_owned_ = true;
    return std::move(*this);
  }

 private:
  friend Answer error(std::string sentence, uint32_t code);
  friend Answer busy();
  friend Answer no_answer();
  friend Answer detail::failed(Failure failure, std::string sentence);
  friend Answer detail::as_it_is(std::string bytes);

  // What few answers have.
  struct Rare {
    std::shared_ptr<const Codec> next_codec{};
    std::shared_ptr<const LayerFactory> next_layer{};
    std::string head{};
    SharedBytes shared{};  // what view_ views
    FileRange file{};      // in place of bytes
    ~Rare();               // elsewhere: the end of an answer is in every handler
  };
  Rare& rare() {
    if (rare_ == nullptr) rare_ = std::make_unique<Rare>();
    return *rare_;
  }

  std::string owned_;
  std::string_view view_;
  std::unique_ptr<Rare> rare_;
  uint32_t code_ = 0;
  Kind kind_ = Kind::kBytes;
  Failure failure_ = Failure::kHandler;
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
// reply. The sentence goes out as one_line(). `code`: a number that the codec knows, for its
// error_reply().
inline Answer error(std::string sentence, uint32_t code = 0) {
  Answer answer(one_line(std::move(sentence)));
  answer.kind_ = Answer::Kind::kError;
  answer.code_ = code;
  return answer;
}

// Any thread. The codec's "busy" reply. The connection lives on.
inline Answer busy() {
  Answer answer("busy");
  answer.kind_ = Answer::Kind::kBusy;
  answer.failure_ = Failure::kBusy;
  return answer;
}

// Any thread. Sends nothing, for requests of protocols that define no reply to them.
inline Answer no_answer() {
  Answer answer("");
  answer.kind_ = Answer::Kind::kNone;
  return answer;
}

namespace detail {

// For the server: a request that has failed of itself; bytes that need no envelope.
inline Answer failed(Failure failure, std::string sentence) {
  Answer answer = error(std::move(sentence));
  answer.failure_ = failure;
  return answer;
}
inline Answer as_it_is(std::string bytes) {
  Answer answer(std::move(bytes));
  answer.kind_ = Answer::Kind::kAsIs;
  return answer;
}

}  // namespace detail

}}  // namespace trireme
