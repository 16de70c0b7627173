// Goal: the word allows the steps of its state diagram and no others, and carries every
// happens-before edge. Method: the steps one by one; then two threads that pass the loop to and fro
// a million times, with plain variables that only the word guards (ThreadSanitizer is the judge of
// those, equality of counts here).
#include "runtime/threads/loop_word.h"

#include <gtest/gtest.h>
#include <sched.h>

#include <array>
#include <thread>

#include "support/unit_seed.h"

namespace trireme { inline namespace v0 { namespace {

TEST(LoopWord, IsHeldAtTheStart) {
  LoopWord word;
  EXPECT_EQ(LoopWord::state(word.load()), LoopWord::kHeld);
  EXPECT_EQ(LoopWord::sequence(word.load()), 0u);
}

TEST(LoopWord, LendAndTakeBackAddOneToTheSequence) {
  LoopWord word;
  for (uint64_t turn = 1; turn <= 3; ++turn) {
    const uint64_t lent = word.lend();
    EXPECT_EQ(word.load(), lent);
    EXPECT_EQ(LoopWord::state(lent), LoopWord::kLent);
    EXPECT_EQ(LoopWord::sequence(lent), turn);
    EXPECT_TRUE(word.settled(lent));  // not taken
    EXPECT_TRUE(word.take_back(lent));
    EXPECT_EQ(LoopWord::state(word.load()), LoopWord::kHeld);
    EXPECT_EQ(LoopWord::sequence(word.load()), turn);
  }
}

TEST(LoopWord, TakeMakesTakeBackFailUntilForEver) {
  LoopWord word;
  const uint64_t lent = word.lend();
  EXPECT_TRUE(word.take(lent));
  EXPECT_EQ(LoopWord::state(word.load()), LoopWord::kTaken);
  EXPECT_FALSE(word.take_back(lent));
  EXPECT_FALSE(word.settled(lent));
  word.hold();
  EXPECT_EQ(LoopWord::state(word.load()), LoopWord::kHeld);
  EXPECT_GT(LoopWord::sequence(word.load()), LoopWord::sequence(lent));
  EXPECT_TRUE(word.settled(lent));
  EXPECT_FALSE(word.take_back(lent));
  const uint64_t second = word.lend();  // the new holder's own job
  EXPECT_FALSE(word.take_back(lent));   // the old thread must not get this one
  EXPECT_TRUE(word.settled(lent));
  EXPECT_TRUE(word.take_back(second));
}

TEST(LoopWord, OnlyALentLoopCanBeTaken) {
  LoopWord word;
  EXPECT_FALSE(word.take(word.load()));  // held
  const uint64_t lent = word.lend();
  ASSERT_TRUE(word.take(lent));
  EXPECT_FALSE(word.take(lent));         // taken by another spare
  EXPECT_FALSE(word.take(word.load()));  // the same, seen fresh
}

TEST(LoopWord, AnOldSightingTakesNothing) {
  LoopWord word;
  const uint64_t first = word.lend();
  ASSERT_TRUE(word.take_back(first));
  EXPECT_FALSE(word.take(first));  // held
  const uint64_t second = word.lend();
  EXPECT_FALSE(word.take(first));  // lent again, for another job
  EXPECT_EQ(word.load(), second);
  EXPECT_TRUE(word.take_back(second));
}

TEST(LoopWord, RelendIsANewLendOfTheSameThread) {
  LoopWord word;
  const uint64_t first = word.lend();
  uint64_t lent = first;
  EXPECT_TRUE(word.relend(lent));
  EXPECT_NE(lent, first);
  EXPECT_EQ(LoopWord::state(lent), LoopWord::kLent);
  EXPECT_EQ(word.load(), lent);
  EXPECT_FALSE(word.take(first));  // a sighting of the job before
  EXPECT_TRUE(word.take_back(lent));
}

TEST(LoopWord, ATakenLoopCannotBeLentAnew) {
  LoopWord word;
  uint64_t lent = word.lend();
  const uint64_t seen = lent;
  ASSERT_TRUE(word.take(lent));
  EXPECT_FALSE(word.relend(lent));
  EXPECT_EQ(lent, seen);
  EXPECT_FALSE(word.take_back(lent));
  word.hold();
  EXPECT_FALSE(word.relend(lent));
  EXPECT_TRUE(word.settled(lent));
}

TEST(LoopWord, TheSequenceDoesNotRunIntoTheState) {
  LoopWord word;
  for (int turn = 0; turn < 100'000; ++turn) {
    const uint64_t lent = word.lend();
    ASSERT_EQ(LoopWord::state(lent), LoopWord::kLent);
    ASSERT_TRUE(word.take_back(lent));
  }
  EXPECT_EQ(LoopWord::sequence(word.load()), 100'000u);
}

// What the word guards: all of it plain memory.
struct Arena {
  struct Job {
    uint64_t kept = 0;  // written by the spare in TAKEN, read by the job's thread after that
    uint64_t runs = 0;  // the job's thread only
  };
  LoopWord word;
  uint64_t turns = 0;       // by the holder
  Job* lent_job = nullptr;  // by the holder; read by the spare
  std::atomic<bool> done{false};
  std::array<uint64_t, 2> taken{};  // by the holder
  std::array<Job, 2> jobs{};
  std::atomic<int> wrong{0};

  uint64_t taken_in_all() const { return taken[0] + taken[1]; }
};

// So many turns, and then more while the machine runs one thread only, within reason.
bool has_played(const Arena& arena, uint64_t turns) {
  if (arena.turns < turns) return false;
  return arena.taken_in_all() > 0 || arena.turns >= 100 * turns;
}

void play(Arena& arena, size_t me, bool holds, uint64_t turns, Random random) {
  while (!arena.done.load()) {
    if (!holds) {
      const uint64_t seen = arena.word.load();
      if (!random.chance(1, 8) || !arena.word.take(seen)) {
        sched_yield();
        continue;
      }
      arena.lent_job->kept = seen;
      ++arena.turns;
      ++arena.taken[me];
      if (random.chance(1, 4)) sched_yield();  // the lender meets TAKEN
      arena.word.hold();
      if (random.chance(1, 4)) sched_yield();  // the lender meets HELD
      holds = true;
    }
    ++arena.turns;
    if (has_played(arena, turns)) {
      arena.done.store(true);
      return;
    }
    Arena::Job& job = arena.jobs[me];
    arena.lent_job = &job;
    const uint64_t lent = arena.word.lend();
    ++job.runs;
    if (random.chance(1, 64)) sched_yield();
    if (arena.word.take_back(lent)) continue;
    while (!arena.word.settled(lent)) sched_yield();
    if (job.kept != lent) ++arena.wrong;
    holds = false;
  }
}

TEST(LoopWord, AMillionTurnsOfTwoThreadsRaceForNothing) {
  constexpr uint64_t kTurns = 1'000'000;
  Random random = unit::seeded_random();
  Arena arena;
  const uint64_t seed = random.next();
  std::thread other([&] { play(arena, 1, false, kTurns, Random(seed)); });
  play(arena, 0, true, kTurns, Random(seed + 1));
  other.join();
  EXPECT_EQ(arena.wrong.load(), 0);
  EXPECT_GE(arena.turns, kTurns);
  EXPECT_GT(arena.taken_in_all(), 0u) << "no hand-over happened: the test showed nothing";
  // Every lend ran its job once: turns are lends, the takes and the last one.
  EXPECT_EQ(arena.jobs[0].runs + arena.jobs[1].runs, arena.turns - 1 - arena.taken_in_all());
}

}  // namespace
}}  // namespace trireme
