// Goal: 10,000 connections of one process are all answered, and all ended in good order.
// Method: the real program; the clients are in this process, for one has descriptors for one side.
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>

#include <string>
#include <utility>
#include <vector>

#include "support/child.h"
#include "support/client.h"
#include "support/test_server.h"

namespace {

using support::Child;
using support::Client;

constexpr size_t kConnections = 10'000;

class ManyConnections : public ::testing::TestWithParam<std::pair<const char*, const char*>> {
 protected:
  void SetUp() override {
    rlimit limit{};
    ::getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    ::setrlimit(RLIMIT_NOFILE, &limit);
    if (limit.rlim_cur < kConnections + 100) GTEST_SKIP() << "the descriptor limit is too low";
  }
};

TEST_P(ManyConnections, EachIsAnswered) {
  const auto [dispatch, driver] = GetParam();
  Child child({"serve", "delay", "--listen", "tcp://127.0.0.1:0", "--dispatch", dispatch,
               "--driver", driver});
  const std::string url = child.url();
  std::vector<Client> clients;
  clients.reserve(kConnections);
  for (size_t i = 0; i < kConnections; ++i) {
    clients.emplace_back(url);
    ASSERT_TRUE(clients.back().connected()) << i;
  }
  for (int round = 0; round < 2; ++round) {
    for (size_t i = 0; i < kConnections; ++i) {
      ASSERT_TRUE(clients[i].send("id" + std::to_string(i) + " 0\n"));
    }
    for (size_t i = 0; i < kConnections; ++i) {
      ASSERT_EQ(clients[i].line(), "id" + std::to_string(i));
    }
  }
  child.signal(SIGTERM);
  for (Client& client : clients) {
    EXPECT_EQ(client.receive_all(), "");
    EXPECT_EQ(client.end(), Client::End::kEof);
    client.close();
  }
  EXPECT_EQ(child.wait_exit(), 0) << child.errors();
}

std::vector<std::pair<const char*, const char*>> setups() {
  std::vector<std::pair<const char*, const char*>> all = {
      {"inline", "epoll"}, {"workers", "epoll"}, {"adaptive", "epoll"}};
  if (support::has_uring()) all.emplace_back("inline", "io_uring");
  return all;
}

INSTANTIATE_TEST_SUITE_P(Dispatch, ManyConnections, ::testing::ValuesIn(setups()),
                         [](const auto& test) {
                           return std::string(test.param.first) + "_" + test.param.second;
                         });

}  // namespace
