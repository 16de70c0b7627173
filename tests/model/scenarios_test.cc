// Goal: the lock-free classes of src keep their promises under every schedule of the scenarios.
// Method: each scenario is explored to its end; the numbers of runs are printed.
// TRIREME_MODEL_DEPTH says how large the scenarios are.
#include <gtest/gtest.h>

#include <cstdio>
#include <cstdlib>

#include "model/scenarios.h"

namespace trireme::model { namespace {

constexpr int kDepth = 1;

void explore_all(const std::vector<NamedScenario>& scenarios) {
  const char* depth = std::getenv("TRIREME_MODEL_DEPTH");
  Options options;
  options.depth = depth != nullptr ? std::atoi(depth) : kDepth;
  for (const NamedScenario& scenario : scenarios) {
    const Outcome outcome = explore(scenario.run, options);
    std::printf("%s: %llu runs, %llu of them cut short, %llu operations\n", scenario.name,
                static_cast<unsigned long long>(outcome.runs),
                static_cast<unsigned long long>(outcome.pruned),
                static_cast<unsigned long long>(outcome.operations));
    EXPECT_EQ(outcome.failure, "") << scenario.name << ":\n" << outcome.trace;
    EXPECT_TRUE(outcome.complete) << scenario.name << " is too large";
  }
}

TEST(Model, WordHasOneHolder) { explore_all(word_scenarios()); }
TEST(Model, WriteTokenHasOneOwner) { explore_all(token_scenarios()); }
TEST(Model, MailboxLosesNothing) { explore_all(mailbox_scenarios()); }
TEST(Model, NobodySleepsBesideMail) { explore_all(sleep_scenarios()); }
TEST(Model, NobodyParksBesideAJob) { explore_all(queue_scenarios()); }
TEST(Model, ParkSpotLosesNoPermit) { explore_all(park_scenarios()); }
TEST(Model, AThingOfAPoolGoesToOneTaker) { explore_all(line_scenarios()); }

}  // namespace
}  // namespace trireme::model
