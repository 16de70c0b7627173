// Goal: a decoder with a memory of its own makes of any bytes the same frames, wherever they are
// cut, and keeps every rule of trireme/decoder.h. Method: libFuzzer; the first byte is the limit,
// the second the seed of the cuts.
#include "fuzz/whole_and_cut.h"
#include "support/talk_codec.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  fuzz::Input input(data, size);
  const size_t frame_bytes_max = 1 + input.number(1);
  const uint64_t seed = input.number(1);
  fuzz::whole_and_cut_decoder(*support::talk_codec(), input.rest(), frame_bytes_max, seed);
  return 0;
}
