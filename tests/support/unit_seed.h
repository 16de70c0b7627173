// Goal: random tests that can be run again. Method: the seed is printed, and taken from the
// environment variable TRIREME_TEST_SEED if it is set.
#pragma once

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <string>

#include "runtime/system/random.h"

namespace trireme { inline namespace v0 { namespace unit {

inline Random seeded_random() {
  const char* given = std::getenv("TRIREME_TEST_SEED");
  const uint64_t seed =
      given != nullptr ? std::strtoull(given, nullptr, 10) : std::random_device{}();
  std::printf("TRIREME_TEST_SEED=%llu\n", static_cast<unsigned long long>(seed));
  return Random(seed);
}

}}}  // namespace trireme::unit
