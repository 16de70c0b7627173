// Goal: the simulated kernel answers as Linux does. Method: each scenario is played on the
// machine's own kernel and on the simulated one, without faults and delays; the transcripts must
// be equal.
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runtime/threads/threads.h"
#include "sim/machine.h"
#include "stage.h"

namespace trireme { inline namespace v0 { namespace sim { namespace {

int reset_on_host(int fd) {
  const linger at_once{1, 0};
  ::setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
  return ::close(fd);
}

std::string play_on_host(const Scenario& scenario) {
  // why: the host has no virtual time; the script polls until the kernel has settled.
  ::umask(022);
  Stage stage({real_platform().kernel, reset_on_host, [] { ::usleep(500); }});
  scenario.play(stage);
  return stage.transcript();
}

std::string play_on_simulator(const Scenario& scenario) {
  MachineOptions options;
  options.faults = Faults{};
  std::string transcript;
  Machine world(1, options);
  world.run([&] {
    SimKernel& kernel = world.kernel();
    Stage stage({kernel, [&](int fd) { return kernel.reset(fd); }, [] {}});
    scenario.play(stage);
    transcript = stage.transcript();
  });
  EXPECT_EQ(world.kernel().open_count(), 0);
  return transcript;
}

std::vector<Scenario> all_scenarios() {
  std::vector<Scenario> all = life_scenarios();
  for (const auto& more :
       {reset_scenarios(), edge_scenarios(), set_scenarios(), unix_scenarios()}) {
    all.insert(all.end(), more.begin(), more.end());
  }
  return all;
}

class Parity : public testing::TestWithParam<Scenario> {};

TEST_P(Parity, TranscriptsAreEqual) {
  const std::string simulated = play_on_simulator(GetParam());
  // The host delivers an acknowledgement when it gets to it, and an edge with it: on a busy machine
  // that is a step late at times, but not every time.
  constexpr int kTries = 5;
  std::string host = play_on_host(GetParam());
  for (int i = 1; i < kTries && host != simulated; ++i) host = play_on_host(GetParam());
  EXPECT_EQ(host, simulated);
}

INSTANTIATE_TEST_SUITE_P(Scenarios, Parity, testing::ValuesIn(all_scenarios()),
                         [](const auto& scenario) { return std::string(scenario.param.name); });

}  // namespace
}}}  // namespace trireme::sim
