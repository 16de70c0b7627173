// Goal: `length_prefix` makes of any bytes the same requests, wherever they are cut and whatever
// its options. Method: libFuzzer; the first bytes are the limit, the seed of the cuts and the
// options.
#include "fuzz/whole_and_cut.h"
#include "trireme/codecs.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  constexpr uint8_t kWidths[] = {1, 2, 3, 4, 8};
  fuzz::Input input(data, size);
  const size_t frame_bytes_max = 1 + input.number(2);
  const uint64_t seed = input.number(1), bits = input.number(1);
  trireme::LengthPrefixOptions options{
      .width = kWidths[bits % 5],
      .order = (bits & 64) != 0 ? trireme::ByteOrder::kLittle : trireme::ByteOrder::kBig,
      .offset = static_cast<uint8_t>(input.number(1) % 8),
      .adjustment = static_cast<int32_t>(static_cast<int8_t>(input.number(1))),
      .includes_head = (bits & 128) != 0};
  const uint64_t strip = input.number(1);
  if (strip < 17) options.strip = static_cast<uint8_t>(strip);
  options.skip_empty = strip % 2 == 1;
  const auto codec = trireme::length_prefix(options);
  if (!codec->problem(frame_bytes_max).empty()) return 0;
  fuzz::whole_and_cut(*codec, input.rest(), frame_bytes_max, seed);
  return 0;
}
