// Goal: of any bytes the PROXY header is the same one wherever they are cut, nothing reads behind
// its end, and what is refused stays refused. Method: libFuzzer; the first byte says where the
// stream is cut.
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "framing/proxy_layer.h"

namespace {

namespace tr = trireme;
using tr::LayerState;

void require(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "fuzz: %s\n", what);
  std::abort();
}

// What a layer makes of a stream in pieces.
struct Outcome {
  LayerState state = LayerState::kShaking;
  std::string rest{}, facts{};
  tr::ToldAddress address{};

  bool operator==(const Outcome& other) const {
    return state == other.state && rest == other.rest && facts == other.facts &&
           address == other.address;
  }
};

Outcome run(std::string_view stream, size_t piece_bytes) {
  tr::ProxyLayer layer("192.0.2.1:1");
  Outcome outcome;
  while (!stream.empty() && outcome.state == LayerState::kShaking) {
    const size_t bytes = std::min(piece_bytes, stream.size());
    // In memory of its own size: the sanitizer sees what is read behind it.
    const std::vector<char> piece(stream.begin(), stream.begin() + static_cast<ptrdiff_t>(bytes));
    stream.remove_prefix(bytes);
    std::string_view view(piece.data(), piece.size());
    tr::LayerOutput out;
    outcome.state = layer.receive(view, false, out);
    require(out.plain.empty() && out.to_peer.empty(), "it says something");
    require(layer.bytes_held() <= 2 * tr::ProxyHeader::kBytesMax, "it keeps more than a header");
    outcome.rest = std::string(view);
    outcome.facts = out.facts.text();
    outcome.address = out.address;
  }
  if (outcome.state == LayerState::kTransparent) outcome.rest += stream;
  if (outcome.state == LayerState::kFailed) outcome.rest.clear();  // nobody looks at it
  return outcome;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const std::string_view stream(reinterpret_cast<const char*>(data) + 1, size - 1);
  const Outcome whole = run(stream, std::max<size_t>(stream.size(), 1));
  const Outcome cut = run(stream, 1 + data[0]);
  require(whole == cut, "the header depends on where the stream is cut");
  require(stream.size() < tr::ProxyHeader::kBytesMax || whole.state != LayerState::kShaking,
          "it waits for more than a header may have");
  return 0;
}
