// Goal: `fixed` makes of any bytes the same requests, wherever they are cut. Method: libFuzzer; the
// first bytes are the size and the seed of the cuts.
#include "fuzz/whole_and_cut.h"
#include "trireme/codecs.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  fuzz::Input input(data, size);
  const auto codec = trireme::fixed(1 + input.number(1));
  const uint64_t seed = input.number(1);
  fuzz::whole_and_cut(*codec, input.rest(), 200, seed);
  return 0;
}
