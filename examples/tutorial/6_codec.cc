// Step 6, second half: a codec of your own. A request is a type byte, one byte of length, and as
// many bytes as the length says. A reply is the same without the type byte.
//
//   tutorial_6_codec [URL]
//   tutorial_6_codec --check        the codec alone; status 0 if nothing is wrong with it
#include <cstdio>
#include <cstring>
#include <iostream>
#include <memory>
#include <stdexcept>
#include <string>

#include "trireme/testing/codec_conformance.h"
#include "trireme/trireme.h"

namespace tr = trireme;

// One object for all connections. It remembers nothing, so all of its functions are const.
class Typed final : public tr::Codec {
 public:
  enum Kind : uint32_t { kReverse = 0, kCount = 1 };

  // What is at the front of `input`? It has all bytes that have arrived and were not consumed.
  tr::Frame decode(tr::DecodeState&, std::string_view input, bool ended,
                   size_t frame_bytes_max) const override {
    using Found = tr::Frame::Kind;
    if (!input.empty() && input[0] != 'r' && input[0] != 'c')
      return {.kind = Found::kFatal, .consumed = 1, .payload = "no such type"};
    if (input.size() >= kHeadBytes) {
      const size_t bytes = static_cast<unsigned char>(input[1]);
      if (bytes > frame_bytes_max)
        return {.kind = Found::kFatal, .consumed = kHeadBytes, .payload = "too long"};
      if (input.size() >= kHeadBytes + bytes) {
        return {.kind = Found::kRequest,
                .consumed = kHeadBytes + bytes,
                .payload = input.substr(kHeadBytes, bytes),
                .request_kind = input[0] == 'r' ? kReverse : kCount};
      }
    }
    if (ended) return {.kind = Found::kEnd, .consumed = input.size()};  // dropped, and counted
    return {.kind = Found::kIncomplete};
  }

  // The bytes around an answer. An exception ends the connection: such an answer has no frame.
  tr::Envelope envelope(size_t body_bytes) const override {
    if (body_bytes > 255) throw std::length_error("an answer of more than 255 bytes");
    tr::Envelope envelope;
    envelope.head[0] = static_cast<char>(body_bytes);
    envelope.head_bytes = 1;
    return envelope;
  }
  tr::ErrorReply error_reply(const tr::FailedRequest& failed) const override {
    return {.body = "!" + std::string(failed.sentence.substr(0, 254))};
  }

 private:
  static constexpr size_t kHeadBytes = 2;
};

// Tries the codec with every cut, every end, every limit, and garbage.
int check() {
  const auto findings = tr::testing::codec_conformance(
      Typed(), {.streams = {std::string("r\5hello") + "c\3abc", std::string("r\0", 2) + "x"},
                .answers_are_requests = false});
  for (const std::string& finding : findings) std::fprintf(stderr, "%s\n", finding.c_str());
  return findings.empty() ? 0 : 1;
}

int main(int argc, char** argv) {
  if (argc > 1 && std::strcmp(argv[1], "--check") == 0) return check();
  const auto answer = [](const tr::Request& request) -> tr::Answer {
    if (request.kind() == Typed::kCount) return std::to_string(request.text().size());
    return std::string(request.text().rbegin(), request.text().rend());
  };
  tr::Server server;
  server.listen(argc > 1 ? argv[1] : "tcp://127.0.0.1:7000", std::make_shared<Typed>(), answer);
  return server.run([&] { std::cout << "listening on " << server.urls()[0] << std::endl; });
}
