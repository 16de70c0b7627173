// Goal: of any bytes the gate before a handshake says the same wherever they are cut, and lets
// through no byte that is not there. Method: libFuzzer; the first byte says where the stream is
// cut.
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "tls/hello_gate.h"

namespace {

using trireme::tls::HelloGate;

void require(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "fuzz: %s\n", what);
  std::abort();
}

// The first thing that it says of a stream in pieces.
HelloGate::Look first_look(std::string_view stream, size_t piece_bytes) {
  HelloGate gate;
  HelloGate::Look look = HelloGate::Look::kMore;
  for (size_t had = 0; had < stream.size() && look == HelloGate::Look::kMore;) {
    had = std::min(had + piece_bytes, stream.size());
    // In memory of its own size: the sanitizer sees what is read behind it.
    const std::vector<char> all(stream.begin(), stream.begin() + static_cast<ptrdiff_t>(had));
    look = gate.look({all.data(), all.size()});
    require(gate.whole_bytes() <= had, "it lets through what is not there");
    require(look != HelloGate::Look::kReady || gate.whole_bytes() > 0, "it is ready for nothing");
  }
  return look;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const std::string_view stream(reinterpret_cast<const char*>(data) + 1, size - 1);
  const HelloGate::Look whole = first_look(stream, std::max<size_t>(stream.size(), 1));
  require(whole == first_look(stream, 1 + data[0]), "it depends on where the stream is cut");
  return 0;
}
