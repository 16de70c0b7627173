// Goal: the messages in any bytes are the same ones wherever they are cut, text is UTF-8, nothing
// is longer than it may be, and deflated bytes never become more. Method: libFuzzer; the first byte
// says how the stream is cut and whether permessage-deflate is on.
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "http/websocket/deflate.h"
#include "http/websocket/frames.h"
#include "http/websocket/handshake.h"
#include "runtime/system/random.h"

namespace {

namespace http = trireme::http;

void require(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "fuzz: %s\n", what);
  std::abort();
}

std::string read(std::string_view stream, const http::FrameLimits& limits,
                 trireme::Random* random) {
  using Kind = http::FrameReader::Kind;
  static http::Deflating& deflating = *new http::Deflating;
  http::FrameReader reader;
  std::string waiting, told;
  while (true) {
    // In memory of its own size: the sanitizer sees what is read behind it.
    std::vector<char> input(waiting.begin(), waiting.end());
    auto found = reader.read({input.data(), input.size()}, limits);
    waiting.assign(input.begin(), input.end());
    require(found.consumed <= input.size(), "it consumes what is not there");
    require(reader.bytes_held() <= 2 * limits.message_bytes_max + 16, "it keeps too much");
    if (found.kind == Kind::kMore) {
      if (stream.empty()) return told;
      const size_t piece = random == nullptr ? stream.size() : 1 + random->below(7);
      waiting += stream.substr(0, piece);
      stream.remove_prefix(std::min(piece, stream.size()));
      continue;
    }
    if (found.kind == Kind::kFailed) return told + "!" + std::to_string(found.code);
    const std::string_view payload =
        found.owned.empty() ? found.payload : std::string_view(found.owned);
    if (found.kind == Kind::kMessage) {
      require(payload.size() <= limits.message_bytes_max, "a message that is too long");
      http::Utf8 utf8;
      require(!found.text || found.compressed || (utf8.take(payload) && utf8.is_whole()),
              "text that is none");
      std::string inflated;
      if (found.compressed) deflating.inflate_message(payload, 1000, inflated);
      require(inflated.size() <= 1000, "more than it may become");
    }
    if (found.kind != Kind::kPart) {
      told += std::to_string(static_cast<int>(found.kind)) + ":" + std::string(payload) + "\n";
    }
    if (found.kind == Kind::kClose) return told;
    waiting.erase(0, found.consumed);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const std::string_view stream(reinterpret_cast<const char*>(data) + 1, size - 1);
  http::FrameLimits limits;
  limits.message_bytes_max = 300;
  limits.deflate = data[0] % 2 == 1;
  trireme::Random random(data[0]);
  require(read(stream, limits, nullptr) == read(stream, limits, &random),
          "the messages depend on where the stream is cut");
  http::choose_deflate(stream);
  http::shake_hands(stream, true, "a", {});
  return 0;
}
