// Goal: no row that was answered OK is ever lost, whenever the process dies.
// Method: rounds of kill -9 over one database; what was answered OK is read back. Seeds are printed
// with a failure; TRIREME_SEED begins elsewhere.
#include <gtest/gtest.h>

#include <cstdlib>
#include <string>

#include "support/collect_rounds.h"

namespace {

TEST(Durability, KillAtRandomMomentsLosesNoRow) {
  support::Scratch scratch;
  support::CollectRounds rounds(scratch.file("db"));
  const char* given = std::getenv("TRIREME_SEED");
  const uint32_t first = given != nullptr ? static_cast<uint32_t>(std::stoul(given)) : 1;
  for (uint32_t seed = first; seed < first + 12; ++seed) {
    ASSERT_NO_FATAL_FAILURE(rounds.write_and_kill(16, seed));
  }
  rounds.expect_all_rows();
  EXPECT_GT(rounds.rows(), 0u);
}

}  // namespace
