// Goal: with polling before sleep everything is answered as without, and an idle server sleeps.
// Method: every policy and driver; the CPU clock of the process.
#include <ctime>
#include <string>
#include <vector>

#include "support/client.h"
#include "support/test_server.h"

namespace {

using support::Client;
using support::TestServer;
using support::wait_until;
namespace tr = trireme;
using namespace std::chrono_literals;

std::chrono::nanoseconds cpu_of_process() {
  timespec time{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
  return std::chrono::seconds(time.tv_sec) + std::chrono::nanoseconds(time.tv_nsec);
}

class PollingTest : public support::ServerTest {};

TEST_P(PollingTest, AnswersAndComesToRest) {
  tr::ServerOptions polling = options();
  polling.poll_time_max = 1ms;
  TestServer server(polling);
  server.listen([](const tr::Request& request) -> tr::Answer { return request.own(); });
  server.start();
  std::vector<Client> clients;
  for (int i = 0; i < 8; ++i) clients.emplace_back(server.url());
  for (int round = 0; round < support::scaled(200); ++round) {
    const std::string text = std::to_string(round);
    for (Client& client : clients) ASSERT_TRUE(client.send(text + "\n"));
    for (Client& client : clients) ASSERT_EQ(client.line(), text);
  }
  // A poller takes a whole CPU; what ticks and sleeps a small part of one.
  EXPECT_TRUE(wait_until([] {
    const auto before = cpu_of_process();
    support::let_pass(50ms);
    return cpu_of_process() - before < 15ms;
  }));
}

TEST(PollTime, IsBounded) {
  tr::Server server({.poll_time_max = 11ms, .log = [](tr::LogLevel, std::string_view) {}});
  server.listen("tcp://127.0.0.1:0", tr::lines(),
                [](const tr::Request& request) -> tr::Answer { return request.own(); });
  const tr::Result<tr::Done> result = server.start();
  ASSERT_FALSE(result.ok());
  EXPECT_NE(result.error().message.find("poll_time_max"), std::string::npos);
}

INSTANTIATE_TEST_SUITE_P(Setups, PollingTest, ::testing::ValuesIn(support::every_setup()),
                         support::name_of);

}  // namespace
