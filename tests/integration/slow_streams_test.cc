// Goal: slow clients of streams do not slow others down: see tests/heavy/slow_streams_test.cc,
// which does it at full size. Method: fewer of them, and a bar that a loaded machine holds.
#include "support/slow_streams.h"

#include <gtest/gtest.h>

#include "support/wait.h"

namespace {

using namespace std::chrono_literals;

TEST(SlowStreams, LeaveOthersAlone) {
  const auto seen = support::run_slow_streams({.uploads = 100, .pause = 10ms});
  EXPECT_EQ(seen.uploads_answered, 100u);
  EXPECT_EQ(seen.most_at_work, seen.permits);
  EXPECT_GT(seen.quick_answered, 0u);
  EXPECT_LT(seen.slowest_quick, 2s * support::kSlowness);
}

}  // namespace
