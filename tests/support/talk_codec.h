// A little protocol with everything that a decoder of a connection, and an encoder, can do: numbers
// that replies bring back, bodies in parts, masked bytes, pings, goodbye.
//
//   #12 text     a request; its reply is `#12 answer`
//   ~12 text     the same, but the bits of the text are turned, in place
//   >12          begins a long request, for which the server says `go 12`; `>text` is a part of it,
//                a lone `.` its end
//   ping text    `pong text` comes at once
//   bye          `bye` comes behind all replies, and the connection ends
//
// All else is refused, with code 42. A failed request is `-12 failure code sentence`, a push is
// `! text`. Between the number and the answer stands Answer::with_head(), in brackets.
#pragma once

#include <algorithm>
#include <charconv>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "trireme/codec.h"

namespace support {

// Of every request: where its words begin and end.
class Words final : public trireme::RequestView {
 public:
  void use(std::string_view frame) {
    ends_.clear();
    for (size_t at = 0; at <= frame.size(); ++at) {
      if (at == frame.size() || frame[at] == ' ') ends_.push_back(at);
    }
  }
  void place(const char* frame) noexcept override { frame_ = frame; }

  size_t count() const { return ends_.size(); }
  std::string_view word(size_t index) const {
    const size_t begin = index == 0 ? 0 : ends_[index - 1] + 1;
    return {frame_ + begin, ends_[index] - begin};
  }

 private:
  std::vector<size_t> ends_;
  const char* frame_ = nullptr;
};

class TalkDecoder final : public trireme::ConnectionDecoder {
 public:
  using Frame = trireme::Frame;

  void decode(std::span<char> input, bool ended, size_t frame_bytes_max,
              trireme::DecodedFrame& out) override {
    const std::string_view bytes(input.data(), input.size());
    const size_t end = bytes.find('\n');
    if (end == std::string_view::npos) return wait(bytes.size(), ended, frame_bytes_max, out);
    const std::string_view line = bytes.substr(0, end);
    out.consumed = end + 1;
    if (line.size() > frame_bytes_max) return refuse(Frame::Kind::kFatal, "too long", 413, out);
    if (is_in_body_) return take_part(line, frame_bytes_max, out);
    if (line.starts_with("ping ")) {
      out.kind = Frame::Kind::kSkip;
      out.at_once = "pong " + std::string(line.substr(5)) + "\n";
    } else if (line == "bye") {
      out.kind = Frame::Kind::kGoodbye;
      out.reply = "bye\n";
    } else if (line.starts_with('>')) {
      number_ = number_of(line);
      is_in_body_ = true;
      out.kind = Frame::Kind::kIncomplete;
      out.reply = "go " + std::to_string(number_) + "\n";
    } else if (line.starts_with('#') || line.starts_with('~')) {
      take_request(input.first(end), out);
    } else {
      refuse(Frame::Kind::kRefused, "not understood", 42, out);
    }
  }
  size_t bytes_held() const override { return body_.size(); }
  bool is_in_frame() const override { return is_in_body_; }

 private:
  static uint64_t number_of(std::string_view line) {
    uint64_t number = 0;
    std::from_chars(line.data() + 1, line.data() + line.size(), number);
    return number;
  }
  static void refuse(Frame::Kind kind, std::string_view sentence, uint32_t code,
                     trireme::DecodedFrame& out) {
    out.kind = kind;
    out.payload = sentence;
    out.code = code;
    if (code == 413) out.failure = trireme::Failure::kTooLong;
  }
  void wait(size_t bytes, bool ended, size_t frame_bytes_max, trireme::DecodedFrame& out) {
    if (bytes > frame_bytes_max) {
      out.consumed = bytes;
      return refuse(Frame::Kind::kFatal, "too long", 413, out);
    }
    if (!ended) return;
    out.kind = Frame::Kind::kEnd;
    out.consumed = bytes;
  }
  void take_part(std::string_view line, size_t frame_bytes_max, trireme::DecodedFrame& out) {
    if (line == ".") {
      is_in_body_ = false;
      out.kind = Frame::Kind::kRequest;
      out.tag = trireme::ReplyTag::of(number_);
      out.owned = std::exchange(body_, {});
    } else if (body_.size() + line.size() > frame_bytes_max) {
      out.tag = trireme::ReplyTag::of(number_);
      refuse(Frame::Kind::kFatal, "too long", 413, out);
    } else {
      body_ += line.substr(std::min<size_t>(line.size(), 1));
      out.kind = Frame::Kind::kIncomplete;
    }
  }
  void take_request(std::span<char> line, trireme::DecodedFrame& out) {
    const std::string_view text(line.data(), line.size());
    const size_t space = std::min(text.find(' '), text.size() - 1);
    out.kind = Frame::Kind::kRequest;
    out.tag = trireme::ReplyTag::of(number_of(text));
    out.payload = text.substr(space + 1);
    if (text[0] == '~') {
      for (char& byte : line.subspan(space + 1)) byte = static_cast<char>(byte ^ 1);
    }
    if (spare_ == nullptr || spare_.use_count() > 1) spare_ = std::make_shared<Words>();
    spare_->use(text);
    out.view = spare_;
  }

  std::shared_ptr<Words> spare_;
  std::string body_;
  uint64_t number_ = 0;
  bool is_in_body_ = false;
};

class TalkCodec final : public trireme::Codec {
 public:
  enum class Ahead : bool { kNo, kYes };
  explicit TalkCodec(Ahead ahead = Ahead::kNo) : ahead_(ahead) {}

  std::unique_ptr<trireme::ConnectionDecoder> make_decoder() const override {
    return std::make_unique<TalkDecoder>();
  }
  bool decodes_ahead() const override { return ahead_ == Ahead::kYes; }
  bool has_encoder() const override { return true; }
  void encode(const trireme::OutgoingReply& reply, trireme::EncodedReply& into) const override {
    into.head = reply.is_push ? "! " : "#" + std::to_string(reply.tag.as<uint64_t>()) + " ";
    if (reply.closes) into.head += "(last) ";
    if (!reply.head.empty()) into.head.append("[").append(reply.head).append("] ");
    into.tail = "\n";
    into.drops_body = reply.head == "no body";
    into.closes = reply.head == "goodbye";
  }
  trireme::ErrorReply error_reply(const trireme::FailedRequest& failed) const override {
    constexpr const char* kNames[] = {"handler", "internal", "deadline", "busy",
                                      "refused", "too long", "timeout"};
    return {.body = "-" + std::to_string(failed.tag.as<uint64_t>()) + " " +
                    kNames[static_cast<size_t>(failed.failure)] + " " +
                    std::to_string(failed.code) + " " + std::string(failed.sentence) + "\n",
            .is_framed = true};
  }
  std::string last_words(trireme::CloseReason reason) const override {
    return "* " + std::string(trireme::to_string(reason)) + "\n";
  }

 private:
  const Ahead ahead_;
};

inline std::shared_ptr<const trireme::Codec> talk_codec(
    TalkCodec::Ahead ahead = TalkCodec::Ahead::kNo) {
  return std::make_shared<TalkCodec>(ahead);
}

}  // namespace support
