// Goal: the time to poll grows where polling would have found something, and is gone soon where it
// would not. Method: made-up sleeps.
#include "runtime/threads/poll_window.h"

#include <gtest/gtest.h>

namespace trireme { inline namespace v0 { namespace {

using namespace std::chrono_literals;

TEST(PollWindow, NeverPollsUnlessToldTo) {
  PollWindow window;
  for (int i = 0; i < 100; ++i) window.waited(1us);
  EXPECT_EQ(window.time(), 0us);
}

TEST(PollWindow, GrowsToItsBoundWhileSleepsAreShort) {
  PollWindow window(100us);
  EXPECT_EQ(window.time(), 0us);
  window.waited(20us);
  EXPECT_EQ(window.time(), PollWindow::kLeast);
  for (int i = 0; i < 10; ++i) {
    window.waited(20us);
    EXPECT_LE(window.time(), 100us);
  }
  EXPECT_EQ(window.time(), 100us);
}

TEST(PollWindow, ShrinksToNothingWhileSleepsAreLong) {
  PollWindow window(100us);
  for (int i = 0; i < 10; ++i) window.waited(20us);
  for (int i = 0; i < 6; ++i) window.waited(1s);
  EXPECT_EQ(window.time(), 0us);
}

TEST(PollWindow, ASleepThatPollingWouldNotHaveFoundDoesNotGrowIt) {
  PollWindow window(100us);
  for (int i = 0; i < 10; ++i) window.waited(100us);
  EXPECT_EQ(window.time(), 0us);
}

}  // namespace
}}  // namespace trireme
