// Goal: the timers of a session fire in the order of their times, one of each tag. Method: one
// SessionTimers; a model that does the same with a map, under random calls.
#include "connection/session_timers.h"

#include <gtest/gtest.h>

#include <map>
#include <utility>

#include "runtime/system/random.h"
#include "support/unit_seed.h"

namespace trireme { inline namespace v0 { namespace {

using std::chrono::milliseconds;

TimePoint at(int64_t ms) { return TimePoint(milliseconds(ms)); }

TEST(SessionTimers, FireInTheOrderOfTheirTimes) {
  SessionTimers timers;
  EXPECT_EQ(timers.next(), kNever);
  EXPECT_FALSE(timers.set(7, at(30)));
  EXPECT_FALSE(timers.set(8, at(10)));
  EXPECT_FALSE(timers.set(9, at(10)));  // the same time: the first that was set comes first
  EXPECT_EQ(timers.next(), at(10));
  EXPECT_EQ(timers.take_due(at(9)), std::nullopt);
  EXPECT_EQ(timers.take_due(at(10)), 8U);
  EXPECT_EQ(timers.take_due(at(10)), 9U);
  EXPECT_EQ(timers.take_due(at(10)), std::nullopt);
  EXPECT_EQ(timers.take_due(at(99)), 7U);
  EXPECT_EQ(timers.count(), 0U);
}

TEST(SessionTimers, OneOfEachTag) {
  SessionTimers timers;
  EXPECT_FALSE(timers.set(1, at(10)));
  EXPECT_TRUE(timers.set(1, at(20)));  // moved
  EXPECT_EQ(timers.count(), 1U);
  EXPECT_EQ(timers.take_due(at(10)), std::nullopt);
  EXPECT_TRUE(timers.cancel(1));
  EXPECT_FALSE(timers.cancel(1));
  EXPECT_EQ(timers.next(), kNever);
}

TEST(SessionTimers, AsAMapWould) {
  Random random = unit::seeded_random();
  SessionTimers timers;
  std::map<uint64_t, TimePoint> model;
  for (int step = 0; step < 5'000; ++step) {
    const uint64_t tag = random.below(20);
    const TimePoint time = at(static_cast<int64_t>(random.below(1'000)) * 20 + int64_t(tag));
    switch (random.below(3)) {
      case 0:
        EXPECT_EQ(timers.set(tag, time), model.contains(tag));
        model[tag] = time;
        break;
      case 1:
        EXPECT_EQ(timers.cancel(tag), model.erase(tag) > 0);
        break;
      default: {
        std::pair<TimePoint, uint64_t> first{kNever, 0};
        for (const auto& [name, due] : model) first = std::min(first, {due, name});
        EXPECT_EQ(timers.next(), first.first);
        const auto taken = timers.take_due(time);
        EXPECT_EQ(taken.has_value(), first.first <= time);
        if (taken) {
          EXPECT_EQ(*taken, first.second);
          model.erase(*taken);
        }
      }
    }
    ASSERT_EQ(timers.count(), model.size());
  }
}

}}}  // namespace trireme
