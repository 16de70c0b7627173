// A codec of one's own: frames with two bytes of length, most significant byte first, in front.
//
//   example_05_own_codec [URL]        then: printf '\0\5hello' | nc -N 127.0.0.1 7000
#include <iostream>
#include <memory>
#include <string>

#include "trireme/trireme.h"

namespace tr = trireme;

// One immutable object for all connections: what it must remember of one is in DecodeState, and
// here that is nothing.
class LengthPrefix final : public tr::Codec {
 public:
  static constexpr size_t kHeadBytes = 2;
  static constexpr size_t kBodyBytesMax = 0xffff;

  tr::Frame decode(tr::DecodeState&, std::string_view input, bool ended,
                   size_t frame_bytes_max) const override {
    if (input.size() >= kHeadBytes) {
      const size_t body =
          static_cast<unsigned char>(input[0]) * 256u + static_cast<unsigned char>(input[1]);
      // Refused by its length alone: a frame over the limit is never gathered. There is no way to
      // find the next frame without reading this one, so the connection ends.
      if (body > frame_bytes_max) return {tr::Frame::Kind::kFatal, kHeadBytes, "frame too long"};
      if (input.size() >= kHeadBytes + body) {
        return {tr::Frame::Kind::kRequest, kHeadBytes + body, input.substr(kHeadBytes, body)};
      }
    }
    if (!ended) return {tr::Frame::Kind::kIncomplete};
    return {tr::Frame::Kind::kEnd, input.size()};  // a part of a frame is dropped and counted
  }

  // Of an answer that is too long for its head nothing sensible can be sent: keep them shorter.
  tr::Envelope envelope(size_t body_bytes) const override {
    tr::Envelope envelope;
    envelope.head[0] = static_cast<char>(body_bytes >> 8 & 0xff);
    envelope.head[1] = static_cast<char>(body_bytes & 0xff);
    envelope.head_bytes = kHeadBytes;
    return envelope;
  }
  tr::ErrorReply error_reply(const tr::FailedRequest& failed) const override {
    return {.body = "!" + std::string(failed.sentence)};
  }
};

int main(int argc, char** argv) {
  tr::Server server;
  const auto reverse = [](const tr::Request& request) -> tr::Answer {
    return std::string(request.text().rbegin(), request.text().rend());
  };
  server.listen(argc > 1 ? argv[1] : "tcp://127.0.0.1:7000", std::make_shared<LengthPrefix>(),
                reverse, {.limits = {.frame_bytes_max = LengthPrefix::kBodyBytesMax}});
  return server.run([&server] { std::cout << "listening on " << server.urls()[0] << std::endl; });
}
