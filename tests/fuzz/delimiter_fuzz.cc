// Goal: `delimiter` makes of any bytes the same requests, wherever they are cut. Method: libFuzzer;
// the first bytes are the limit, the seed of the cuts and the options.
#include "fuzz/whole_and_cut.h"
#include "trireme/codecs.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const std::string kFirst[] = {"\n", "\r\n", "\n\n", "aba", "END"};
  static const std::string kSecond[] = {"\n", ";", "b", std::string(1, '\0')};
  fuzz::Input input(data, size);
  const size_t frame_bytes_max = 1 + input.number(1);
  const uint64_t seed = input.number(1), bits = input.number(1), which = input.number(1);
  trireme::DelimiterOptions options{.include = (bits & 1) != 0, .skip_empty = (bits & 2) != 0};
  if ((bits & 4) != 0) options.also.push_back(kSecond[which / 8 % 4]);
  const auto codec = trireme::delimiter(kFirst[which % 5], options);
  if (!codec->problem(frame_bytes_max).empty()) return 0;
  fuzz::whole_and_cut(*codec, input.rest(), frame_bytes_max, seed);
  return 0;
}
