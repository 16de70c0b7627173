// What every codec must keep, tried with streams of your protocol: for unit tests of a codec of
// your own, with any test framework. docs/codecs.md says what is tried.
//
// Thread: any.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "trireme/codec.h"

namespace trireme { inline namespace v0 { namespace testing {

struct CodecConformance {
  // What clients send: good streams, and bad ones that matter. Some hundred bytes each: a stream of
  // n bytes is decoded 3 * n times.
  std::vector<std::string> streams{};
  size_t frame_bytes_max = 64 << 10;
  uint64_t seed = 1;     // of cuts and garbage
  size_t garbage = 100;  // streams of random bytes, and as many mutants of each stream
  bool requests_are_whole =
      true;  // false: a request may be cut where the bytes were, as of bytes()
  // False: an answer does not look like a request, so that it cannot be decoded again.
  bool answers_are_requests = true;
  size_t findings_max = 10;
};

// Any thread. Returns what is wrong, a sentence each; empty: nothing was found. `codec` is borrowed
// for the call.
std::vector<std::string> codec_conformance(const Codec& codec, const CodecConformance& how);

}}}  // namespace trireme::testing
