// Goal: `varint` makes of any bytes the same requests, wherever they are cut. Method: libFuzzer;
// the first bytes are the limit, the seed of the cuts and the options.
#include "fuzz/whole_and_cut.h"
#include "trireme/codecs.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  fuzz::Input input(data, size);
  const size_t frame_bytes_max = 1 + input.number(2);
  const uint64_t seed = input.number(1), bits = input.number(1);
  const auto codec = trireme::varint({.bytes_max = static_cast<uint8_t>(1 + bits % 10),
                                      .refuse_overlong = (bits & 64) != 0,
                                      .skip_empty = (bits & 128) != 0});
  fuzz::whole_and_cut(*codec, input.rest(), frame_bytes_max, seed);
  return 0;
}
