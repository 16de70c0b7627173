// Goal: the memory of a server stays within its budget, whatever its clients do.
// Method: the real program with a small budget, clients that do not read or that flood handlers
// which sleep; the peak of its resident memory is at most the budget and 16 MiB.
#include <gtest/gtest.h>
#include <signal.h>

#include <algorithm>
#include <string>
#include <tuple>
#include <vector>

#include "support/child.h"
#include "support/client.h"
#include "support/test_server.h"

namespace {

using support::Child;
using support::Client;
using namespace std::chrono_literals;

constexpr size_t kBudget = 64 << 20;
constexpr size_t kOverhead = 16 << 20;

std::string repeated(const std::string& line, size_t bytes) {
  std::string text;
  while (text.size() < bytes) text += line;
  return text;
}

class MemoryTest : public ::testing::TestWithParam<std::tuple<const char*, const char*>> {
 protected:
  static std::vector<std::string> serve(const char* service, std::vector<std::string> more = {}) {
    std::vector<std::string> line = {"serve",
                                     service,
                                     "--listen",
                                     "tcp://127.0.0.1:0",
                                     "--dispatch",
                                     std::get<0>(GetParam()),
                                     "--driver",
                                     std::get<1>(GetParam()),
                                     "--buffer-bytes-max",
                                     "64MiB"};
    line.insert(line.end(), more.begin(), more.end());
    return line;
  }
  // Connects `count` clients, each sends `text` again and again until all are held back.
  static void flood(std::vector<Client>& clients, const std::string& url, int count,
                    const std::string& text) {
    for (int i = 0; i < count; ++i) {
      clients.emplace_back(url, Client::Options{.receive_buffer_bytes = 4096});
    }
    size_t taken = 1;
    for (int pass = 0; pass < 60 && taken > 0; ++pass) {
      taken = 0;
      for (Client& client : clients) taken += client.send_until_full(text, 0ms);
    }
  }
  void expect_within_budget(const Child& child) {
    const size_t peak = child.resident_bytes_peak();
    EXPECT_GT(peak, 0u) << "it has died: " << child.errors();
    EXPECT_LE(peak, kBudget + kOverhead) << static_cast<double>(peak) / (1 << 20) << " MiB";
    RecordProperty("peak_bytes", std::to_string(peak));
  }
};

TEST_P(MemoryTest, ClientsThatDoNotRead) {
  Child child(serve("echo"));
  std::vector<Client> clients;
  flood(clients, child.url(), 250, std::string(256 << 10, 'x'));
  expect_within_budget(child);
  clients.clear();
  Client client(child.url());
  ASSERT_TRUE(client.send("x"));
  EXPECT_EQ(client.receive(1), "x");
}

TEST_P(MemoryTest, FloodOfSleepingHandlers) {
  Child child(serve("delay"));
  std::vector<Client> clients;
  flood(clients, child.url(), 1000, repeated("id 1000000\n", 256 << 10));
  expect_within_budget(child);
}

// Requests that are small themselves: what a request costs beside its bytes counts.
TEST_P(MemoryTest, PipelinedFloodOfSleepingHandlers) {
  Child child(serve("delay", {"--ordering", "pipelined", "--in-flight-max", "1000"}));
  std::vector<Client> clients;
  flood(clients, child.url(), 1000, repeated("i 1000000\n", 64 << 10));
  expect_within_budget(child);
  EXPECT_TRUE(support::wait_until([&] {
    return std::any_of(clients.begin(), clients.end(),
                       [](Client& client) { return client.readable_within(0ms); });
  }));
}

// Large requests that wait for data workers, then large replies that are not read: memory that has
// served one purpose is not kept beside what serves the next.
TEST_P(MemoryTest, LargeRequestsThenRepliesThatAreNotRead) {
  Child child(serve("delay", {"--data-workers", "8"}));
  {
    std::vector<Client> clients;
    flood(clients, child.url(), 400, "a 300000\n" + std::string(48 << 10, 'x') + "\n");
    for (Client& client : clients) client.shutdown_write();
    for (size_t i = 0; i < 50; ++i) clients[i].line();
  }
  std::vector<Client> clients;
  flood(clients, child.url(), 400, repeated("\n", 128 << 10));  // every byte is answered by many
  expect_within_budget(child);
}

std::vector<std::tuple<const char*, const char*>> setups() {
  std::vector<std::tuple<const char*, const char*>> all;
  for (const char* dispatch : {"workers", "adaptive"}) {
    for (const char* driver : {"epoll", "epoll-et"}) all.emplace_back(dispatch, driver);
  }
  if (support::has_uring()) all.emplace_back("workers", "io_uring");
  return all;
}

INSTANTIATE_TEST_SUITE_P(Setups, MemoryTest, ::testing::ValuesIn(setups()), [](const auto& test) {
  const std::string driver = std::get<1>(test.param);
  const char* name = driver == "io_uring" ? "Uring" : driver == "epoll" ? "Level" : "Edge";
  return std::string(std::get<0>(test.param)) + name;
});

}  // namespace
