// Random numbers by an own generator, so that one seed gives one sequence with every compiler and
// library.
//
// Step: below all steps. Thread: one instance belongs to one owner; it is not shared.
#pragma once

#include <cstdint>

namespace trireme { inline namespace v0 {

// SplitMix64 (Steele, Lea, Flood: "Fast splittable pseudorandom number generators", OOPSLA 2014).
class Random {
 public:
  explicit Random(uint64_t seed) : state_(seed) {}

  uint64_t next() {
    uint64_t z = (state_ += 0x9e3779b97f4a7c15ULL);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
    return z ^ (z >> 31);
  }

  // A number in [0, bound). `bound` must not be 0. The bias is below bound / 2^64.
  uint64_t below(uint64_t bound) { return next() % bound; }

  // True with a probability of `numerator` in `denominator`.
  bool chance(uint64_t numerator, uint64_t denominator) { return below(denominator) < numerator; }

 private:
  uint64_t state_;
};

}}  // namespace trireme
