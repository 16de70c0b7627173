// Goal: 5,000 handshakes that stall half-way stop nobody, cost at most 44 KiB each, and are cut by
// their clock. Method: as in handshakes_test.cc.
#include "tls/stalled.h"

namespace {

TEST(StalledHandshakes, FiveThousandCostLittleAndAreCut) {
  if (load::raise_descriptor_limit() < 10'500) GTEST_SKIP() << "too few descriptors";
  support::stall(
      {.count = 5000, .handshake_time_max = std::chrono::seconds(25), .bytes_max = 44 << 10},
      trireme::Dispatch::kAdaptive);
}

}  // namespace
