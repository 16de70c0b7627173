// Goal: no number is given out twice, each comes back, and late. Method: leases by hand, and
// conversations, which lease from the set of the process.
#include "runtime/system/home_numbers.h"

#include <gtest/gtest.h>

#include <iterator>
#include <list>
#include <memory>
#include <optional>
#include <set>
#include <vector>

#include "runtime/threads/threads.h"
#include "trireme/testing/conversation.h"
#include "trireme/trireme.h"

namespace trireme { inline namespace v0 { namespace {

constexpr uint32_t kCount = HomeNumbers::kCount;

TEST(HomeNumbers, AreGivenOutOnceAndComeBackLate) {
  HomeNumbers numbers;
  std::optional<HomeNumbers::Lease> first(numbers.lease(3));
  EXPECT_EQ(first->first(), 0u);
  const HomeNumbers::Lease second = numbers.lease(2);
  EXPECT_EQ(second.first(), 3u);
  first.reset();
  std::list<HomeNumbers::Lease> rest;
  for (uint32_t number = 5; number < kCount; ++number) {
    rest.push_back(numbers.lease(1));
    ASSERT_TRUE(rest.back().ok());
    ASSERT_EQ(rest.back().first(), number);
  }
  EXPECT_FALSE(numbers.lease(4).ok()) << "only 0 to 2 are free";
  const HomeNumbers::Lease third = numbers.lease(3);
  ASSERT_TRUE(third.ok());
  EXPECT_EQ(third.first(), 0u);
  EXPECT_FALSE(numbers.lease(1).ok());
  rest.erase(std::next(rest.begin(), 10));
  EXPECT_EQ(numbers.lease(1).first(), 15u);
}

TEST(HomeNumbers, OfALeaseDoNotGoAroundTheEnd) {
  HomeNumbers numbers;
  std::optional<HomeNumbers::Lease> most(numbers.lease(kCount - 1));
  most.reset();
  const HomeNumbers::Lease two = numbers.lease(2);
  EXPECT_EQ(two.first(), 0u);
  EXPECT_TRUE(numbers.lease(kCount - 2).ok());
  EXPECT_FALSE(numbers.lease(kCount - 1).ok());
}

TEST(HomeNumbers, AMovedLeaseGivesBackOnce) {
  HomeNumbers numbers;
  HomeNumbers::Lease all = numbers.lease(kCount);
  {
    const HomeNumbers::Lease moved = std::move(all);
    EXPECT_TRUE(moved.ok());
    EXPECT_FALSE(numbers.lease(1).ok());
  }
  EXPECT_TRUE(numbers.lease(kCount).ok());
}

TEST(HomeNumbers, OfConversationsDiffer) {
  std::set<uint64_t> ids;
  std::vector<std::unique_ptr<testing::Conversation>> talks;
  for (int i = 0; i < 20; ++i) {
    talks.push_back(
        std::make_unique<testing::Conversation>(lines(), [&](const Request& request) -> Answer {
          ids.insert(request.connection().value);
          return request.text();
        }));
    EXPECT_EQ(talks.back()->say("x\n"), "x\n");
  }
  EXPECT_EQ(ids.size(), talks.size());
}

TEST(HomeNumbersDeathTest, AConversationSaysThatThereAreNoneLeft) {
  EXPECT_DEATH(
      {
        const HomeNumbers::Lease all = real_platform().home_numbers->lease(kCount);
        testing::Conversation talk(lines(), [](const Request&) -> Answer { return "x"; });
      },
      "a process may have 1024 conversations and event loops of servers at once");
}

TEST(HomeNumbers, AServerSaysThatThereAreNoneLeft) {
  // Whatever else of this process has some: all in rows of one are taken.
  std::vector<HomeNumbers::Lease> all;
  while (true) {
    HomeNumbers::Lease lease = real_platform().home_numbers->lease(1);
    if (!lease.ok()) break;
    all.push_back(std::move(lease));
  }
  Server server({.io_workers = 1});
  server.listen("tcp://127.0.0.1:0", lines(), [](const Request&) -> Answer { return "x"; });
  const Result<Done> started = server.start();
  ASSERT_FALSE(started.ok());
  EXPECT_NE(started.error().message.find("no numbers left for 1 event loops"), std::string::npos)
      << started.error().message;
}

}  // namespace
}}  // namespace trireme
