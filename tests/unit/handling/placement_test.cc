// Goal: the record of a kind decides where its next request starts: on the loop while that costs
// nothing, on data workers while it blocks, and it follows a change within a second. Method: a
// clock of the test and made-up times.
#include "handling/placement.h"

#include <gtest/gtest.h>

namespace trireme { inline namespace v0 { namespace {

using namespace std::chrono_literals;

class Placement : public ::testing::Test {
 protected:
  // `count` requests spread over `time`; every `late_one_in`-th is late (0: none). They run where
  // the record says.
  void serve(int count, Duration time, int late_one_in, Duration takes = 1us) {
    for (int i = 1; i <= count; ++i) {
      now_ += time / count;
      const bool late = late_one_in > 0 && i % late_one_in == 0;
      if (record_.on_data_workers()) {
        record_.ran_on_data_worker(1, late ? 20ms : takes, price_, now_);
      } else if (late) {
        record_.was_late(price_, now_);
      } else {
        record_.ran_inline(1, record_.wants_sample(), takes, now_);
      }
    }
  }

  TimePoint now_ = TimePoint(1h);
  Duration price_ = KindRecord::kLateCost;  // of a late request
  KindRecord record_;
};

TEST_F(Placement, StaysOnTheLoopWhileNothingBlocks) {
  serve(100'000, 10s, 0);
  EXPECT_FALSE(record_.on_data_workers());
  EXPECT_EQ(record_.requests_inline(), 100'000u);
  EXPECT_EQ(record_.cost(), Duration(0));
}

TEST_F(Placement, OneThatBlocksInTenThousandStays) {
  serve(200'000, 5s, 10'000);
  EXPECT_FALSE(record_.on_data_workers());
  EXPECT_EQ(record_.late(), 20u);
}

TEST_F(Placement, OneInAHundredMoves) {
  serve(20'000, 1s, 100);
  EXPECT_TRUE(record_.on_data_workers());
}

// The first costs a tick, moves the kind, and alerts the lookout: it comes back and stays.
TEST_F(Placement, OneInAHundredReturnsWhereLossesCostLittle) {
  record_.was_late(KindRecord::kLateCost, now_);
  ASSERT_TRUE(record_.on_data_workers());
  price_ = KindRecord::kAtOnceCost;
  serve(10'000, 500ms, 100);
  EXPECT_FALSE(record_.on_data_workers());
  EXPECT_TRUE(record_.blocks());
  serve(20'000, 1s, 100);
  EXPECT_FALSE(record_.on_data_workers());
  serve(20'000, 1s, 2);
  EXPECT_TRUE(record_.on_data_workers()) << "half of them: a hop costs less";
  serve(20'000, 3s, 0);
  EXPECT_FALSE(record_.on_data_workers());
  EXPECT_FALSE(record_.blocks());
}

TEST_F(Placement, TheFirstThatBlocksMovesARareKindAtOnce) {
  serve(1, 1s, 1);
  EXPECT_TRUE(record_.on_data_workers());
  serve(100, 1000s, 1);
  EXPECT_TRUE(record_.on_data_workers());
  EXPECT_EQ(record_.requests_inline(), 1u);
}

TEST_F(Placement, SlowWithoutBeingLateMoves) {
  serve(1000, 1s, 0, 200us);
  EXPECT_TRUE(record_.on_data_workers());
  EXPECT_LT(record_.requests_inline(), 20u);
}

// The first of its kind finds cold caches; a thread may be preempted at any time.
TEST_F(Placement, OneOutlierDoesNotMove) {
  serve(1, 1ms, 0, 900us);
  EXPECT_FALSE(record_.on_data_workers());
  serve(10'000, 2s, 0, 2us);
  EXPECT_FALSE(record_.on_data_workers());
  record_.ran_inline(1, true, 900us, now_);
  EXPECT_FALSE(record_.on_data_workers());
  record_.ran_inline(1, true, 900us, now_);
  EXPECT_TRUE(record_.on_data_workers()) << "several are a habit";
}

// Computing costs the same anywhere.
TEST_F(Placement, AFewMicrosecondsOfWorkStay) {
  serve(100'000, 5s, 0, 15us);
  EXPECT_FALSE(record_.on_data_workers());
}

// Some microseconds of waiting are lost to the loop; some of computing would be spent anywhere.
TEST_F(Placement, AFewMicrosecondsOfWaitingMove) {
  const auto serve_measured = [&](Duration waits) {
    int measured = 0;
    for (int i = 0; i < 10'000 && !record_.on_data_workers(); ++i) {
      now_ += 100us;
      const bool sampled = record_.wants_sample();
      if (sampled && record_.wants_cpu_sample()) {
        record_.computed(1, 15us, 15us - waits);
        ++measured;
      }
      record_.ran_inline(1, sampled, 15us, now_);
    }
    return measured;
  };
  EXPECT_GT(serve_measured(0us), 10);
  EXPECT_FALSE(record_.on_data_workers());
  serve_measured(14us);
  EXPECT_TRUE(record_.on_data_workers());
  EXPECT_GT(record_.waiting(), 0.2f);
}

TEST_F(Placement, ShortRequestsAreNeverAskedForTheirCpuTime) {
  int asked = 0;
  for (int i = 0; i < 10'000; ++i) {
    now_ += 100us;
    const bool sampled = record_.wants_sample();
    if (sampled && record_.wants_cpu_sample()) ++asked;
    record_.ran_inline(1, sampled, 1us, now_);
  }
  EXPECT_EQ(asked, 0);
}

TEST_F(Placement, FollowsAChangeWithinASecond) {
  serve(10'000, 2s, 0);
  serve(2'500, 500ms, 20);
  EXPECT_TRUE(record_.on_data_workers());
  serve(5'000, 1s, 0);
  EXPECT_FALSE(record_.on_data_workers());
}

TEST_F(Placement, KeepsWhatItKnowsThroughAPause) {
  serve(1'000, 1s, 10);
  ASSERT_TRUE(record_.on_data_workers());
  now_ += 1h;
  serve(1, 1ms, 1);
  EXPECT_TRUE(record_.on_data_workers());
}

TEST_F(Placement, APinnedKindStaysWhateverItCosts) {
  record_.pin(Dispatch::kInline);
  serve(1'000, 1s, 1);
  EXPECT_FALSE(record_.on_data_workers());
  EXPECT_GT(record_.cost(), 1ms);
  KindRecord other;
  other.pin(Dispatch::kWorkers);
  other.ran_on_data_worker(1, 1us, price_, now_ + 10s);
  other.ran_on_data_worker(1, 1us, price_, now_ + 20s);
  EXPECT_TRUE(other.on_data_workers());
}

TEST(LossPrices, AreWhatWasPaidLately) {
  LossPrice price;
  TimePoint now = TimePoint(1h);
  EXPECT_EQ(price.at(now), KindRecord::kAtOnceCost) << "tried first";
  price.paid(KindRecord::kLateCost, now);
  EXPECT_GT(price.at(now), 300us);
  EXPECT_LT(price.at(now), 500us) << "one that was missed says little";
  for (int i = 0; i < 10; ++i) price.paid(KindRecord::kLateCost, now += 10ms);
  EXPECT_GT(price.at(now), 1300us);
  EXPECT_NEAR(static_cast<double>(price.at(now + 4s).count()),
              static_cast<double>((price.at(now) + KindRecord::kAtOnceCost).count()) / 2, 2'000);
  EXPECT_EQ(price.at(now + 1h), KindRecord::kAtOnceCost) << "tried again";
  for (int i = 0; i < 20; ++i) price.paid(KindRecord::kAtOnceCost, now += 10ms);
  EXPECT_LT(price.at(now), 40us);
}

TEST_F(Placement, KindsShareARecordFromTheFifteenthOn) {
  Kinds kinds;
  EXPECT_NE(&kinds.of(0), &kinds.of(1));
  EXPECT_EQ(&kinds.of(15), &kinds.of(4'000'000'000));
  EXPECT_NE(&kinds.of(15), &kinds.of_callbacks());
}

}  // namespace
}}  // namespace trireme
