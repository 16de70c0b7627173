// Goal: the budget refuses exactly what is over it, and everything that was charged comes back;
// large blocks are kept within their bound.
// Method: by hand at the edges; random blocks and charges against a sum; two threads at once.
#include "runtime/memory/buffers.h"

#include <gtest/gtest.h>

#include <thread>
#include <vector>

#include "runtime/memory/block_cache.h"
#include "support/unit_seed.h"
#include "support/wait.h"

namespace trireme { inline namespace v0 { namespace {

// Below the budget the system may refuse: nothing is counted then.
TEST(Buffers, WhatTheSystemRefusesIsNoBlock) {
  if (support::kSanitized) GTEST_SKIP() << "a sanitizer ends the process for so much";
  Buffers budget(SIZE_MAX);
  constexpr size_t kTooMuch = size_t{1} << 60;
  EXPECT_FALSE(budget.make(kTooMuch));
  EXPECT_FALSE(budget.try_make_fixed(kTooMuch));
  EXPECT_FALSE(Buffers::make_uncounted(kTooMuch));
  EXPECT_EQ(budget.bytes_now(), 0);
  EXPECT_EQ(budget.made(), 0u);
  EXPECT_TRUE(budget.make(100));
}

TEST(Buffers, MakeCountsAndTheBlockGivesBack) {
  Buffers buffers(1000);
  {
    Block block = buffers.make(400);
    ASSERT_TRUE(block);
    EXPECT_EQ(block.capacity(), 400u);
    EXPECT_EQ(block.span().size(), 400u);
    EXPECT_EQ(buffers.bytes_now(), 400);
    EXPECT_EQ(buffers.made(), 1u);
    EXPECT_EQ(buffers.gone(), 0u);
  }
  EXPECT_EQ(buffers.bytes_now(), 0);
  EXPECT_EQ(buffers.bytes_peak(), 400);
  EXPECT_EQ(buffers.gone(), 1u);
}

TEST(Buffers, RefusesTheFirstByteOverTheBudgetAndNothingBefore) {
  Buffers buffers(1000);
  Block first = buffers.make(600);
  EXPECT_FALSE(buffers.make(401));
  EXPECT_EQ(buffers.bytes_now(), 600);
  EXPECT_FALSE(buffers.charge(401));
  EXPECT_EQ(buffers.bytes_now(), 600);
  EXPECT_EQ(buffers.bytes_peak(), 600) << "a refusal is no peak";
  EXPECT_EQ(buffers.made(), 1u);
  Block second = buffers.make(400);
  EXPECT_TRUE(second);
  EXPECT_TRUE(buffers.charge(0));
  EXPECT_FALSE(buffers.charge(1));
  first = Block();
  EXPECT_TRUE(buffers.charge(600));
  buffers.discharge(600);
}

TEST(Buffers, FixedBlocksAreCountedButNotRefused) {
  Buffers buffers(10);
  const Block fixed = buffers.make_fixed(100);
  EXPECT_TRUE(fixed);
  EXPECT_EQ(buffers.bytes_now(), 100);
  EXPECT_FALSE(buffers.charge(1));
  EXPECT_TRUE(buffers.under_pressure());
}

TEST(Buffers, PressureBeginsOverAHalfAndFullnessOverThreeQuarters) {
  Buffers buffers(1000);
  ASSERT_TRUE(buffers.charge(500));
  EXPECT_FALSE(buffers.under_pressure());
  ASSERT_TRUE(buffers.charge(1));
  EXPECT_TRUE(buffers.under_pressure());
  ASSERT_TRUE(buffers.charge(249));
  EXPECT_FALSE(buffers.nearly_full());
  ASSERT_TRUE(buffers.charge(1));
  EXPECT_TRUE(buffers.nearly_full());
  buffers.discharge(751);
}

// A user's way to say "no limit".
TEST(Buffers, AnEndlessBudgetRefusesNothing) {
  Buffers buffers(SIZE_MAX);
  EXPECT_TRUE(buffers.charge(1 << 20));
  EXPECT_FALSE(buffers.under_pressure());
  EXPECT_FALSE(buffers.nearly_full());
  buffers.discharge(1 << 20);
}

TEST(Buffers, ABlockMovesWithItsCharge) {
  Buffers buffers(1000);
  Block a = buffers.make(100);
  a.data()[0] = 'a';
  Block b = std::move(a);
  EXPECT_EQ(b.data()[0], 'a');
  EXPECT_EQ(buffers.gone(), 0u);
  b = buffers.make(200);
  EXPECT_EQ(buffers.bytes_now(), 200);
  Block c;
  c.swap(b);
  EXPECT_FALSE(b);
  EXPECT_EQ(c.capacity(), 200u);
  c = Block();
  EXPECT_EQ(buffers.bytes_now(), 0);
}

TEST(Charge, GivesBackOnceHoweverItMoves) {
  Buffers buffers(1000);
  ASSERT_TRUE(buffers.charge(300));
  {
    Charge a(buffers, 300);
    Charge b(std::move(a));
    Charge c;
    c = std::move(b);
    EXPECT_EQ(buffers.bytes_now(), 300);
    c = Charge();
    EXPECT_EQ(buffers.bytes_now(), 0);
  }
  EXPECT_EQ(buffers.bytes_now(), 0);
}

TEST(BuffersDeathTest, GivingBackTooMuchAborts) {
  EXPECT_DEATH(
      {
        Buffers buffers(10);
        buffers.discharge(1);
      },
      "more bytes were given back than taken");
}

TEST(BuffersDeathTest, ABlockMustNotOutliveItsBudget) {
  EXPECT_DEATH(
      {
        Block late;
        Buffers buffers(10);
        late = buffers.make(5);
      },
      "outlived its budget");
}

TEST(Buffers, RandomUseAgreesWithASum) {
  constexpr size_t kBudget = 10'000;
  Random random = unit::seeded_random();
  Buffers buffers(kBudget);
  std::vector<Block> blocks;
  std::vector<std::pair<Charge, size_t>> charges;
  size_t sum = 0, peak = 0;
  for (int step = 0; step < 20'000; ++step) {
    const size_t bytes = random.below(1500);
    switch (random.below(4)) {
      case 0: {
        Block block = buffers.make(bytes);
        ASSERT_EQ(static_cast<bool>(block), sum + bytes <= kBudget);
        if (!block) break;
        sum += bytes;
        blocks.push_back(std::move(block));
        break;
      }
      case 1:
        ASSERT_EQ(buffers.charge(bytes), sum + bytes <= kBudget);
        if (sum + bytes > kBudget) break;
        sum += bytes;
        charges.emplace_back(Charge(buffers, bytes), bytes);
        break;
      case 2:
        if (blocks.empty()) break;
        std::swap(blocks[random.below(blocks.size())], blocks.back());
        sum -= blocks.back().capacity();
        blocks.pop_back();
        break;
      default:
        if (charges.empty()) break;
        sum -= charges.back().second;
        charges.pop_back();
    }
    peak = std::max(peak, sum);
    ASSERT_EQ(buffers.bytes_now(), static_cast<int64_t>(sum));
    ASSERT_EQ(buffers.bytes_peak(), static_cast<int64_t>(peak));
    ASSERT_EQ(buffers.made() - buffers.gone(), blocks.size());
  }
}

TEST(Buffers, TwoThreadsEndInBalance) {
  Buffers buffers(5'000);
  const auto use = [&buffers](uint64_t seed) {
    Random random(seed);
    for (int i = 0; i < 50'000; ++i) {
      const Block block = buffers.make(random.below(3'000));
      if (block && block.capacity() > 0) {
        EXPECT_GT(buffers.bytes_now(), 0);
      }
    }
  };
  std::thread other(use, 1);
  use(2);
  other.join();
  EXPECT_EQ(buffers.bytes_now(), 0);
  EXPECT_EQ(buffers.made(), buffers.gone());
  EXPECT_LE(buffers.bytes_peak(), 5'000);
}

TEST(BlockCache, GivesBackWhatWasKept) {
  BlockCache cache(64 << 10);
  Block block = cache.take(20000);
  EXPECT_EQ(block.capacity(), 32768u);
  char* const memory = block.data();
  cache.keep(std::move(block));
  EXPECT_NE(cache.take(10000).data(), memory) << "it is larger than was asked for";
  EXPECT_EQ(cache.take(32768).data(), memory);
}

// What is above the bound is given to the system at once.
TEST(BlockCache, IsBounded) {
  BlockCache cache(64 << 10);
  std::vector<Block> blocks;
  for (int i = 0; i < 3; ++i) {
    blocks.push_back(cache.take(32 << 10));
    blocks.back().data()[100] = 'k';
  }
  for (Block& block : blocks) cache.keep(std::move(block));
  int kept = 0;
  blocks.clear();
  for (int i = 0; i < 3; ++i) blocks.push_back(cache.take(32 << 10));
  for (const Block& block : blocks) kept += block.data()[100] == 'k' ? 1 : 0;
  EXPECT_EQ(kept, 2);  // new memory has zeroes, and under the address sanitizer its own filling
}

}  // namespace
}}  // namespace trireme
