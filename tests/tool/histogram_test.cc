// Goal: a percentile of the histogram is the true one or at most 0.8 % more, whatever the values.
// Method: random values against the sorted list of them; the seed is printed.
#include "tool/bench/histogram.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "support/unit_seed.h"

namespace bench {
namespace {

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

}  // namespace
}  // namespace bench
