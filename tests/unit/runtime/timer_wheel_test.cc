// Goal: no timer fires early, none more than a tick late, and next_wake neither oversleeps nor
// spins. Method: single cases; then random arming, cancelling, re-arming and jumps in time against
// a plain list of deadlines (300 cases), and a second property that lives from next_wake to
// next_wake only.
#include "runtime/timer_wheel.h"

#include <gtest/gtest.h>

#include <optional>
#include <vector>

#include "support/unit_seed.h"

namespace trireme { inline namespace v0 { namespace {

using std::chrono::hours;
using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::nanoseconds;
using std::chrono::seconds;

constexpr Duration kTick = TimerWheel::kTick;
constexpr TimePoint kStart{hours(3) + nanoseconds(123'456'789)};  // not on a tick of any clock

struct Alarm : Timer {
  TimePoint deadline = kNever;
};

TEST(TimerWheel, AnEmptyWheelSleepsForEver) {
  TimerWheel wheel(kStart);
  EXPECT_EQ(wheel.next_wake(), kNever);
  EXPECT_EQ(wheel.expire(kStart + hours(1000)), nullptr);
  EXPECT_EQ(wheel.armed_count(), 0u);
}

TEST(TimerWheel, FiresInTheFirstTickAtOrAfterItsDeadline) {
  TimerWheel wheel(kStart);
  Alarm alarm;
  wheel.arm(alarm, kStart + microseconds(2'500));
  EXPECT_EQ(wheel.next_wake(), kStart + milliseconds(3));
  EXPECT_EQ(wheel.expire(kStart + microseconds(2'999)), nullptr);
  EXPECT_EQ(wheel.expire(kStart + milliseconds(3)), &alarm);
  EXPECT_FALSE(alarm.timer_armed());
  EXPECT_EQ(wheel.expire(kStart + milliseconds(3)), nullptr);
  EXPECT_EQ(wheel.made(), 1u);
  EXPECT_EQ(wheel.gone(), 1u);
}

TEST(TimerWheel, ADeadlineOnATickFiresOnIt) {
  TimerWheel wheel(kStart);
  for (const int ms : {1, 63, 64, 65, 4095, 4096, 4097, 262'143, 262'144, 262'145, 16'777'216}) {
    Alarm alarm;
    const TimePoint now = kStart + milliseconds(ms);
    TimerWheel fresh(kStart);
    fresh.arm(alarm, now);
    EXPECT_EQ(fresh.expire(now - nanoseconds(1)), nullptr) << ms;
    EXPECT_EQ(fresh.expire(now), &alarm) << ms;
  }
}

TEST(TimerWheel, ThePastFiresAtOnce) {
  TimerWheel wheel(kStart);
  Alarm before_start, passed;
  wheel.arm(before_start, TimePoint{});
  EXPECT_LE(wheel.next_wake(), kStart);
  EXPECT_EQ(wheel.expire(kStart), &before_start);
  EXPECT_EQ(wheel.expire(kStart + seconds(5)), nullptr);
  wheel.arm(passed, kStart + seconds(1));
  EXPECT_LE(wheel.next_wake(), kStart + seconds(5));
  EXPECT_EQ(wheel.expire(kStart + seconds(5)), &passed);
}

TEST(TimerWheel, ArmMovesAnArmedTimerAndArmNoLaterOnlyForward) {
  TimerWheel wheel(kStart);
  Alarm alarm;
  wheel.arm(alarm, kStart + milliseconds(10));
  wheel.arm(alarm, kStart + milliseconds(20));
  EXPECT_EQ(wheel.armed_count(), 1u);
  EXPECT_EQ(wheel.made(), 1u);
  wheel.arm_no_later(alarm, kStart + milliseconds(30));
  EXPECT_EQ(wheel.expire(kStart + milliseconds(19)), nullptr);
  wheel.arm(alarm, kStart + milliseconds(90));
  wheel.arm_no_later(alarm, kStart + milliseconds(50));
  EXPECT_EQ(wheel.expire(kStart + milliseconds(49)), nullptr);
  EXPECT_EQ(wheel.expire(kStart + milliseconds(50)), &alarm);
  wheel.arm_no_later(alarm, kStart + milliseconds(60));  // not armed: as arm
  EXPECT_EQ(wheel.expire(kStart + milliseconds(60)), &alarm);
}

TEST(TimerWheel, CancelTwiceIsHarmlessAndMaySpareTheOthers) {
  TimerWheel wheel(kStart);
  Alarm a, b, c;
  wheel.cancel(a);
  for (Alarm* alarm : {&a, &b, &c}) wheel.arm(*alarm, kStart + milliseconds(5));
  wheel.cancel(b);
  wheel.cancel(b);
  EXPECT_EQ(wheel.expire(kStart + milliseconds(5)), &a);
  wheel.cancel(c);  // due already, but not told
  EXPECT_EQ(wheel.expire(kStart + milliseconds(5)), nullptr);
  EXPECT_EQ(wheel.made(), 3u);
  EXPECT_EQ(wheel.gone(), 3u);
  EXPECT_EQ(wheel.next_wake(), kNever);
}

// Of a timer that was moved or cancelled nothing is left that would end a sleep.
TEST(TimerWheel, NobodyIsWokenForATimerThatIsGone) {
  TimerWheel wheel(kStart);
  Alarm soon, moved, late;
  wheel.arm(soon, kStart + seconds(60));
  wheel.arm(moved, kStart + milliseconds(30));
  wheel.arm(late, kStart + hours(4));
  wheel.cancel(soon);
  wheel.arm(moved, kStart + hours(4));
  EXPECT_GT(wheel.next_wake(), kStart + seconds(60));
  wheel.cancel(moved);
  wheel.cancel(late);
}

TEST(TimerWheel, DeadlinesBeyondItsRangeKeepTheirTime) {
  for (const int in_hours : {4, 5, 10, 24, 100}) {
    TimerWheel wheel(kStart);
    Alarm alarm;
    const TimePoint deadline = kStart + hours(in_hours) + milliseconds(7);
    wheel.arm(alarm, deadline);
    int wakes = 0;
    TimePoint now = kStart;
    Timer* fired = nullptr;
    while (fired == nullptr && ++wakes < 1000) {
      ASSERT_GT(wheel.next_wake(), now);
      now = wheel.next_wake();
      fired = wheel.expire(now);
    }
    EXPECT_EQ(fired, &alarm);
    EXPECT_GE(now, deadline);
    EXPECT_LT(now, deadline + kTick);
    EXPECT_LE(wakes, 4 + in_hours) << in_hours << " hours";
  }
}

TEST(TimerWheelDeathTest, ATimerMustNotOutliveItsWheel) {
  Alarm alarm;
  EXPECT_DEATH(
      {
        TimerWheel wheel(kStart);
        wheel.arm(alarm, kStart + seconds(1));
      },
      "a timer outlived its wheel");
}

Duration some_time(Random& random) {
  switch (random.below(6)) {
    case 0:
      return nanoseconds(random.below(3'000'000));
    case 1:
      return microseconds(random.below(70'000));
    case 2:
      return milliseconds(random.below(70));  // whole ticks, about one turn of the lowest wheel
    case 3:
      return milliseconds(random.below(5'000));
    case 4:
      return milliseconds(random.below(300'000));
    default:  // up to 16 hours, seldom: the wheel walks there by turns of 64 ticks
      return seconds(random.below(random.chance(1, 50) ? 60'000 : 600));
  }
}

// The wheel, and what it must do, told by a plain list.
class Model {
 public:
  explicit Model(Random& random) : random_(random), alarms_(1 + random.below(40)) {}
  ~Model() {
    for (Alarm& alarm : alarms_) wheel_.cancel(alarm);
  }

  void step() {
    Alarm& alarm = alarms_[random_.below(alarms_.size())];
    switch (random_.below(5)) {
      case 0:
      case 1:
        set(alarm, now_ + some_time(random_) - nanoseconds(random_.below(2'000'000)));
        break;
      case 2: {
        const TimePoint deadline = now_ + some_time(random_);
        wheel_.arm_no_later(alarm, deadline);
        alarm.deadline = std::min(deadline, alarm.deadline);
        break;
      }
      case 3:
        wheel_.cancel(alarm);
        alarm.deadline = kNever;
        break;
      default:
        now_ = random_.chance(1, 2) && wheel_.next_wake() != kNever
                   ? std::max(now_, wheel_.next_wake())
                   : now_ + some_time(random_);
        advance();
    }
    check();
  }

 private:
  void set(Alarm& alarm, TimePoint deadline) {
    wheel_.arm(alarm, deadline);
    alarm.deadline = deadline;
  }

  void advance() {
    while (Timer* timer = wheel_.expire(now_)) {
      auto& alarm = static_cast<Alarm&>(*timer);
      ASSERT_NE(alarm.deadline, kNever) << "fired without being armed";
      ASSERT_LE(alarm.deadline, now_) << "early";
      alarm.deadline = kNever;
      Alarm& other = alarms_[random_.below(alarms_.size())];
      if (random_.chance(1, 8)) set(other, now_ + nanoseconds(1) + some_time(random_));
    }
    for (const Alarm& alarm : alarms_) {
      ASSERT_TRUE(alarm.deadline == kNever || alarm.deadline > now_ - kTick) << "late";
    }
    ASSERT_GT(wheel_.next_wake(), now_) << "would spin";
  }

  void check() {
    size_t armed = 0;
    TimePoint first = kNever;
    for (const Alarm& alarm : alarms_) {
      ASSERT_EQ(alarm.timer_armed(), alarm.deadline != kNever);
      if (alarm.deadline == kNever) continue;
      ++armed;
      first = std::min(first, alarm.deadline);
    }
    ASSERT_EQ(wheel_.armed_count(), armed);
    ASSERT_EQ(wheel_.made() - wheel_.gone(), armed);
    if (first == kNever) {
      ASSERT_EQ(wheel_.next_wake(), kNever);
    } else {
      ASSERT_LT(wheel_.next_wake(), std::max(first, now_) + kTick) << "oversleeps";
    }
  }

  Random& random_;
  TimePoint now_ = kStart;
  TimerWheel wheel_{kStart};
  std::vector<Alarm> alarms_;
};

TEST(TimerWheelProperty, RandomUseAgreesWithAListOfDeadlines) {
  Random random = unit::seeded_random();
  for (int round = 0; round < 300; ++round) {
    Model model(random);
    for (int step = 0; step < 300; ++step) {
      model.step();
      if (HasFatalFailure()) FAIL() << "round " << round << ", step " << step;
    }
  }
}

// Without anything else to do, a loop wakes once a timer, three times more for the levels that the
// timer falls through, and once a range of the wheel.
TEST(TimerWheelProperty, SleepingToNextWakeMissesNothingAndWakesSeldom) {
  Random random = unit::seeded_random();
  for (int round = 0; round < 200; ++round) {
    TimerWheel wheel(kStart);
    TimePoint now = kStart + some_time(random);
    wheel.expire(now);
    std::vector<Alarm> alarms(1 + random.below(10));
    for (Alarm& alarm : alarms) {
      alarm.deadline = now + some_time(random);
      wheel.arm(alarm, alarm.deadline);
    }
    size_t wakes = 0;
    while (wheel.armed_count() > 0) {
      ASSERT_LE(++wakes, 8 * alarms.size() + 8) << "round " << round;
      now = std::max(now, wheel.next_wake());
      while (Timer* timer = wheel.expire(now)) {
        const TimePoint deadline = static_cast<Alarm*>(timer)->deadline;
        ASSERT_LE(deadline, now);
        ASSERT_LT(now, deadline + kTick);
      }
    }
  }
}

}  // namespace
}}  // namespace trireme
