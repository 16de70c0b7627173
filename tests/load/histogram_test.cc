// Goal: a percentile of the histogram is the true one or at most 0.8 % more, whatever the values;
// the end of a warm-up forgets what was counted, not what went wrong.
// Method: random values against the sorted list of them; the seed is printed.
#include "load/histogram.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "load/tally.h"
#include "support/unit_seed.h"

namespace load { namespace {

using trireme::unit::seeded_random;

TEST(BenchHistogram, PercentilesAreWithinOnePercent) {
  auto random = seeded_random();
  for (int round = 0; round < 200; ++round) {
    // Of every magnitude, and sometimes all of one.
    const int bits = static_cast<int>(random.next() % 62) + 1;
    const bool same_magnitude = random.next() % 2 == 0;
    const size_t count = random.next() % 2000 + 1;
    std::vector<int64_t> values;
    Histogram histogram;
    Histogram first;
    Histogram second;
    for (size_t i = 0; i < count; ++i) {
      const int shift = same_magnitude ? 64 - bits : static_cast<int>(random.next() % 62) + 2;
      const auto value = static_cast<int64_t>(random.next() >> shift);
      values.push_back(value);
      histogram.add(value);
      (random.next() % 2 == 0 ? first : second).add(value);
    }
    first.merge(second);
    std::sort(values.begin(), values.end());
    for (const double fraction : {0.0, 0.1, 0.5, 0.9, 0.99, 0.999, 0.9999, 1.0}) {
      const auto rank = static_cast<size_t>(std::ceil(fraction * static_cast<double>(count)));
      const auto exact = static_cast<uint64_t>(values[std::max<size_t>(rank, 1) - 1]);
      const uint64_t told = histogram.percentile(fraction);
      ASSERT_GE(told, exact) << fraction << " of " << count;
      ASSERT_LE(static_cast<double>(told), static_cast<double>(exact) * (1 + 1.0 / 128))
          << fraction << " of " << count;
      ASSERT_EQ(first.percentile(fraction), told) << "merged";
    }
    ASSERT_EQ(histogram.count(), count);
    ASSERT_EQ(first.count(), count);
    ASSERT_EQ(histogram.max(), static_cast<uint64_t>(values.back()));
    ASSERT_EQ(histogram.steps().back().count, count);
    ASSERT_EQ(histogram.steps().back().value, histogram.max());
  }
}

TEST(BenchHistogram, EmptyAndNegative) {
  Histogram histogram;
  EXPECT_EQ(histogram.percentile(0.5), 0u);
  EXPECT_TRUE(histogram.steps().empty());
  histogram.add(-5);  // a clock that two threads read
  EXPECT_EQ(histogram.percentile(1), 0u);
  EXPECT_EQ(histogram.count(), 1u);
}

TEST(BenchHistogram, ClearedIsAsNew) {
  Histogram histogram;
  for (const int64_t value : {0, 1000, 1'000'000'000}) histogram.add(value);
  histogram.clear();
  EXPECT_EQ(histogram.count(), 0u);
  EXPECT_EQ(histogram.max(), 0u);
  EXPECT_TRUE(histogram.steps().empty());
  histogram.add(7);
  EXPECT_EQ(histogram.percentile(1), 7u);
}

TEST(BenchTally, RestartCountsAnewButForgivesNothing) {
  Tally tally;
  tally.requests = tally.refused = tally.sent_bytes = tally.received_bytes = 1;
  tally.opened = tally.wrong_bytes = tally.broken = tally.unanswered = tally.unsent = tally.lost =
      1;
  tally.fast.add(5);
  tally.blocking.add(5);
  tally.note("a byte was wrong");
  tally.restart();
  EXPECT_EQ(tally.requests + tally.refused + tally.sent_bytes + tally.received_bytes, 0u);
  EXPECT_EQ(tally.unanswered + tally.unsent + tally.lost, 0u);
  EXPECT_EQ(tally.fast.count() + tally.blocking.count(), 0u);
  EXPECT_EQ(tally.opened, 1u);  // and still open
  EXPECT_EQ(tally.wrong_bytes, 1u);
  EXPECT_EQ(tally.broken, 1u);
  EXPECT_EQ(tally.problem, "a byte was wrong");
}

}  // namespace
}  // namespace load
