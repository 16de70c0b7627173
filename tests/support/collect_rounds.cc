#include "support/collect_rounds.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <stdlib.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <random>
#include <thread>

#include "support/child.h"
#include "support/client.h"

namespace support {
namespace {

std::vector<std::string> command(const std::string& database) {
  return {"serve", "collect", "--listen", "tcp://127.0.0.1:0", "--db", database};
}

}  // namespace

Scratch::Scratch() : path_(::testing::TempDir() + "trireme-XXXXXX") {
  if (::mkdtemp(path_.data()) == nullptr) std::abort();
}

Scratch::~Scratch() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

void CollectRounds::write(const std::string& url, const std::string& device) {
  Client client(url);
  for (int number = 1; client.connected(); ++number) {
    const std::string text = std::to_string(number);
    if (client.ask(device + " m " + text + " " + text) != "OK") return;
    const std::lock_guard lock(mutex_);
    ok_.push_back({device, number});
  }
}

void CollectRounds::write_and_kill(int writers, uint32_t seed, const std::function<void()>& also) {
  SCOPED_TRACE("seed " + std::to_string(seed));
  Child child(command(database_));
  const std::string url = child.url();
  ASSERT_FALSE(url.empty()) << child.errors();
  const size_t before = rows();
  const size_t enough = before + std::mt19937(seed)() % 400;
  std::vector<std::thread> threads;
  for (int writer = 0; writer < writers; ++writer) {
    const std::string device = "r" + std::to_string(seed) + "w" + std::to_string(writer);
    threads.emplace_back([this, &url, device] { write(url, device); });
  }
  EXPECT_TRUE(wait_until([&] {
    const std::lock_guard lock(mutex_);
    return ok_.size() > enough;
  }));
  // Now one first, now the other.
  if (seed % 2 == 0) child.signal(SIGKILL);
  also();
  child.signal(SIGKILL);
  EXPECT_EQ(child.wait_exit(), 128 + SIGKILL);
  for (std::thread& thread : threads) thread.join();
}

void CollectRounds::expect_all_rows() {
  Child child(command(database_));
  const std::string url = child.url();
  ASSERT_FALSE(url.empty()) << child.errors();
  Client client(url);
  std::map<std::string, int> last;  // every device's numbers are 1, 2, 3 and so on
  for (const Row& row : ok_) last[row.device] = std::max(last[row.device], row.number);
  for (const auto& [device, number] : last) {
    ASSERT_TRUE(client.send("RANGE " + device + " m 1 " + std::to_string(number) + "\n"));
    ASSERT_EQ(client.line(), std::to_string(number)) << device;
    for (int i = 1; i <= number; ++i) {
      ASSERT_EQ(client.line(), std::to_string(i) + " " + std::to_string(i)) << device;
    }
  }
}

}  // namespace support
