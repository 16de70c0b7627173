// Goal: what a driver watches is what was attached and not closed, in whatever order that happens,
// and what it cannot watch is refused. Method: the conformance suite's fixture for each driver.
#include <fcntl.h>
#include <sys/select.h>

#include <utility>

#include "support/unit_driver.h"
#include "support/unit_seed.h"

namespace trireme { inline namespace v0 { namespace {

class Attaching : public unit::DriverFixture {};
INSTANTIATE_TEST_SUITE_P(Drivers, Attaching, ::testing::ValuesIn(unit::drivers()),
                         unit::driver_name);

TEST_P(Attaching, AFailedAttachClosesTheDescriptor) {
  if (GetParam().refuses == unit::Refuses::kNothing) return;
  Channel& channel = fresh();
  int refused = -1, error = -EPERM;
  if (GetParam().refuses == unit::Refuses::kFiles) {
    refused = ::open("/proc/self/status", O_RDONLY | O_CLOEXEC);
  } else {
    const int client = pair(refused);
    ::close(std::exchange(refused, ::fcntl(refused, F_DUPFD_CLOEXEC, FD_SETSIZE)));
    error = -ERANGE;
    say(client, "unheard");
  }
  ASSERT_GE(refused, 0);
  EXPECT_EQ(driver.attach(channel, Channel::Role::kStream, refused), error);
  EXPECT_EQ(::fcntl(refused, F_GETFD), -1);
  EXPECT_EQ(channel.fd, -1);
  EXPECT_LE(returns_while_quiet(), 3);
}

// Each hears what was said to it, and nothing of the others.
TEST_P(Attaching, ComingAndGoingInAnyOrder) {
  struct Pair {
    Channel* channel;
    int client;
    std::string said;
  };
  Random random = unit::seeded_random();
  std::vector<Pair> pairs;
  const auto hear_all = [&] {
    ASSERT_TRUE(turn_until([&] {
      for (const Pair& it : pairs) {
        if (received(*it.channel) != it.said) return false;
      }
      return true;
    }));
  };
  for (int step = 0; step < 300; ++step) {
    const size_t at = pairs.empty() ? 0 : random.below(pairs.size());
    const uint64_t what = random.below(4);
    if (pairs.size() < 20 && what < 2) {
      int both[2];
      ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, both), 0);
      Channel& channel = fresh();
      attach(channel, both[0]);
      pairs.push_back({&channel, both[1], ""});
    } else if (!pairs.empty() && what == 2) {
      driver.close(*pairs[at].channel);
      ::close(pairs[at].client);
      pairs.erase(pairs.begin() + static_cast<std::ptrdiff_t>(at));
    } else if (!pairs.empty()) {
      const std::string word = std::to_string(step) + " ";
      say(pairs[at].client, word);
      pairs[at].said += word;
      if (random.chance(1, 3)) driver.pause(*pairs[at].channel);
      if (random.chance(1, 2)) turn(0);
      driver.receive(*pairs[at].channel);
    }
  }
  hear_all();
  for (const Pair& it : pairs) ::close(it.client);
}

}  // namespace
}}  // namespace trireme
