// Goal: the whole server, as it is, keeps its promises in every order of events that a seed can
// draw. Method: server and clients in one simulated world; see workload.cc for what is judged.
//
//   TRIREME_SIM_SEEDS=5000   as many seeds as that
//   TRIREME_SIM_SEED=17      this one only
#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <cstdlib>
#include <string>

#include "support/wait.h"
#include "workload.h"

namespace seeds { namespace {

constexpr uint64_t kShards = 4;

uint64_t number_from(const char* name, uint64_t otherwise) {
  const char* text = std::getenv(name);
  return text != nullptr ? std::strtoull(text, nullptr, 10) : otherwise;
}

// Fewer where each step costs many times as much.
#if defined(TRIREME_TESTS_ARE_SLOW)
constexpr uint64_t kSeeds = 100;
constexpr unsigned kSeedSecondsMax = 90;  // megabytes in one seed take the thread sanitizer nine
#else
constexpr uint64_t kSeeds = 1'000;
constexpr unsigned kSeedSecondsMax = 30;
#endif

std::string how_to_repeat(uint64_t seed) {
  return "seed " + std::to_string(seed) +
         " fails. Repeat with: TRIREME_SIM_SEED=" + std::to_string(seed) +
         " tests/seeds_tests --gtest_filter='*Seeds/0'\n";
}

// A world that cannot go on aborts, and one that spins without a call of a seam is aborted: then
// this says which it was.
std::atomic<uint64_t> seed_at_work{0};

void on_end(int signal) {
  if (signal == SIGALRM) std::fputs("A seed takes far too long. ", stderr);
  std::fputs(how_to_repeat(seed_at_work).c_str(), stderr);
  std::signal(SIGABRT, SIG_DFL);
  std::abort();
}

Outcome run_named(uint64_t seed) {
  seed_at_work = seed;
  const auto before = std::signal(SIGABRT, on_end);
  std::signal(SIGALRM, on_end);
  alarm(kSeedSecondsMax);
  Outcome outcome = run_seed(seed);
  alarm(0);
  std::signal(SIGABRT, before);
  EXPECT_EQ(outcome.complaint, "") << how_to_repeat(seed) << outcome.plan;
  return outcome;
}

class SimServer : public ::testing::TestWithParam<uint64_t> {};

TEST_P(SimServer, Seeds) {
  const uint64_t one = number_from("TRIREME_SIM_SEED", 0);
  if (one != 0) {
    if (GetParam() == 0) run_named(one);
    return;
  }
  const uint64_t seeds = number_from("TRIREME_SIM_SEEDS", kSeeds);
  uint64_t requests = 0, whole_clients = 0;
  for (uint64_t seed = 1 + GetParam(); seed <= seeds && !HasFailure(); seed += kShards) {
    const Outcome outcome = run_named(seed);
    requests += outcome.requests;
    whole_clients += outcome.whole_clients;
  }
  if (seeds < 100) return;
  EXPECT_GT(requests, seeds);  // the seeds do something
  EXPECT_GT(whole_clients, seeds / kShards);
}

INSTANTIATE_TEST_SUITE_P(Shards, SimServer, ::testing::Range(uint64_t{0}, kShards));

#ifndef TRIREME_FORCE_HANDOVER  // there every handler asks for its hand-over
TEST(SimServerReach, ALookoutTells) {
  constexpr uint64_t kAmong = 100;
  uint64_t told = 0;
  for (uint64_t seed = 1; seed <= kAmong && told == 0; ++seed) {
    told += run_named(seed).hand_overs_told;
  }
  EXPECT_GT(told, 0U) << "no lookout has told in " << kAmong << " seeds";
}
#endif

TEST(SimServerDeterminism, SameSeedSameHash) {
  const uint64_t seeds = number_from("TRIREME_SIM_SEEDS", kSeeds) / 20;
  for (uint64_t seed = 1; seed <= seeds; ++seed) {
    const Outcome first = run_named(seed);
    const Outcome second = run_named(seed);
    ASSERT_EQ(first.hash, second.hash) << "seed " << seed;
    ASSERT_EQ(first.steps, second.steps) << "seed " << seed;
  }
}

}  // namespace
}  // namespace seeds
