// Goal: a file of 1 GiB goes out without a copy of it in memory, plain and through a layer.
// Method: a server in this process, a client that reads and forgets; the resident memory of the
// process is looked at all along.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>

#include "support/client.h"
#include "support/knock_layer.h"
#include "support/temporary_folder.h"
#include "support/test_server.h"

namespace {

using support::Client;
using support::TestServer;

constexpr uint64_t kFileBytes = uint64_t{1} << 30;
constexpr size_t kGrowthMax = 8 << 20;

size_t resident_bytes() {
  std::ifstream statm("/proc/self/statm");
  size_t all = 0, resident = 0;
  statm >> all >> resident;
  return resident * 4096;
}

class LargeFile : public ::testing::TestWithParam<bool> {};

TEST_P(LargeFile, GoesOutWithoutACopyInMemory) {
  const bool layered = GetParam();
  const support::TemporaryFolder folder;
  std::ofstream(folder.file("large")) << "first";
  std::filesystem::resize_file(folder.file("large"), kFileBytes);  // the rest is a hole
  TestServer server(trireme::ServerOptions{.io_workers = 1});
  trireme::ListenOptions listen;
  if (layered) listen.layers = {std::make_shared<support::KnockFactory>()};
  server.listen(
      [&](const trireme::Request&) -> trireme::Answer {
        trireme::File file;
        EXPECT_FALSE(trireme::File::open(folder.file("large"), file));
        return file;
      },
      listen, trireme::bytes());
  server.start();
  Client client(server.url());
  if (layered) {
    ASSERT_TRUE(client.send(support::kKnock));
    ASSERT_EQ(client.receive(support::kWelcome.size()), support::kWelcome);
  }
  const std::string first = layered ? support::turned("first") : "first";
  ASSERT_TRUE(client.send(layered ? support::turned("x") : "x"));
  ASSERT_EQ(client.receive(5), first);
  const size_t before = resident_bytes();
  size_t peak = before;
  uint64_t got = 5;
  while (got < kFileBytes) {
    const size_t more =
        client.receive(static_cast<size_t>(std::min<uint64_t>(64 << 10, kFileBytes - got))).size();
    if (more == 0) break;
    got += more;
    peak = std::max(peak, resident_bytes());
  }
  EXPECT_EQ(got, kFileBytes);
  EXPECT_LT(peak - before, kGrowthMax);
  RecordProperty("growth_bytes", static_cast<int>(peak - before));
}

INSTANTIATE_TEST_SUITE_P(Transports, LargeFile, ::testing::Bool(),
                         [](const auto& made) { return made.param ? "Layered" : "Plain"; });

}  // namespace
