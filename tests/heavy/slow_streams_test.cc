// Goal: 1,000 slow uploads at once beside quick requests: handlers that wait for clients never
// exceed their bound, no quick request is queued behind one, and all are answered. Method: clients
// that send a piece now and then; the time of every quick request is taken.
#include "support/slow_streams.h"

#include <gtest/gtest.h>

#include <iostream>

namespace {

using namespace std::chrono_literals;

TEST(SlowStreamsHeavy, AThousandLeaveOthersAlone) {
  const auto seen = support::run_slow_streams({.uploads = 1000, .pause = 200ms});
  EXPECT_EQ(seen.uploads_answered, 1000u);
  EXPECT_EQ(seen.most_at_work, seen.permits);
  EXPECT_GT(seen.quick_answered, 0u);
  EXPECT_LE(seen.slowest_quick, 250ms);
  std::cout << seen.quick_answered << " quick requests, the slowest took "
            << seen.slowest_quick / 1us << " us\n";
}

}  // namespace
