// Remote calls in a binary protocol. Answers leave as they come, with the number of their call; an
// upload goes to a file while it comes: example_rpc [URL [FOLDER]]
//   u32 length of the rest   u8 kind   u32 number   payload        (big-endian)
//   CALL (1): milliseconds to wait, and words   ->  RESULT (2): the words, or ERROR (3): a sentence
//   UPLOAD (4): the bytes of a file             ->  RESULT: their count
#include <fstream>
#include <iostream>
#include <string>

#include "trireme/trireme.h"

namespace tr = trireme;

enum Kind : uint8_t { kCall = 1, kResult, kError, kUpload };
constexpr size_t kHead = 9, kBehindLength = 5;

std::string number(uint32_t value) {
  return {char(value >> 24), char(value >> 16), char(value >> 8), char(value)};
}
uint32_t number_at(const char* bytes) {
  uint32_t value = 0;
  for (int i = 0; i < 4; ++i) value = value << 8 | static_cast<unsigned char>(bytes[i]);
  return value;
}
std::string head(Kind kind, tr::ReplyTag tag, uint64_t bytes) {
  return number(uint32_t(kBehindLength + bytes)) + char(kind) + number(tag.as<uint32_t>());
}

class Decoder final : public tr::ConnectionDecoder {
  void decode(std::span<char> input, bool, size_t frame_bytes_max, tr::DecodedFrame& out) override {
    const std::string_view bytes(input.data(), input.size());
    if (left_ > 0 && !bytes.empty()) {
      out.kind = tr::Frame::Kind::kPart;
      out.payload = bytes.substr(0, left_);
      out.consumed = out.payload.size();
      left_ -= static_cast<uint32_t>(out.consumed);
      out.ends_body = left_ == 0;
    }
    if (out.consumed > 0 || bytes.size() < kHead) return;
    const uint32_t length = number_at(bytes.data()), payload = length - kBehindLength;
    const bool is_upload = bytes[4] == kUpload;
    out.tag = tr::ReplyTag::of(number_at(bytes.data() + kBehindLength));
    if (length < kBehindLength ||
        (!is_upload && (bytes[4] != kCall || payload > frame_bytes_max))) {
      out.kind = tr::Frame::Kind::kFatal;
      out.payload = "no such kind, or no such length";
    } else if (is_upload || bytes.size() >= kHead + payload) {
      out.kind = tr::Frame::Kind::kRequest;
      out.request_kind = static_cast<uint8_t>(bytes[4]);
      out.payload = bytes.substr(kHead, is_upload ? 0 : payload);
      out.consumed = kHead + out.payload.size();
      if (is_upload) out.body = tr::BodyMode::kStreamed;
      out.ends_body = payload == 0;
      left_ = is_upload ? payload : 0;
    }
  }
  uint32_t left_ = 0;  // of an upload
};

class Codec final : public tr::Codec {
  std::unique_ptr<tr::ConnectionDecoder> make_decoder() const override {
    return std::make_unique<Decoder>();
  }
  bool marks_streams() const override { return true; }
  bool has_encoder() const override { return true; }
  void encode(const tr::OutgoingReply& reply, tr::EncodedReply& into) const override {
    into.head = head(kResult, reply.tag, reply.body_bytes);
  }
  tr::ErrorReply error_reply(const tr::FailedRequest& failed) const override {
    return {.body = head(kError, failed.tag, failed.sentence.size()).append(failed.sentence),
            .is_framed = true};
  }
};

int main(int argc, char** argv) {
  const std::string folder = argc > 2 ? argv[2] : ".";
  const auto handler = [&](const tr::Request& request) -> tr::Answer {
    if (request.kind() == kCall) {
      const std::string words = request.own();
      tr::wait_for(std::chrono::milliseconds(std::strtol(words.c_str(), nullptr, 10)));
      return words.substr(std::min(words.size(), words.find(' ') + 1));
    }
    std::ofstream file(folder + "/upload-" + std::to_string(request.tag().as<uint32_t>()));
    std::array<char, 16 << 10> bytes;
    while (const size_t count = request.body().read(bytes)) file.write(bytes.data(), count);
    if (!request.body().ended()) return tr::error("the upload was cut");
    if (!file.flush()) return tr::error("the disk is full");
    return std::to_string(file.tellp());
  };
  tr::Server server;
  server.listen(argc > 1 ? argv[1] : "tcp://127.0.0.1:7000", std::make_shared<Codec>(), handler,
                {.ordering = tr::Ordering::kUnordered, .name = "rpc"});
  return server.run([&] { std::cout << "listening on " << server.urls()[0] << std::endl; });
}
