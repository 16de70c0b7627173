// Goal: 1,000 slow uploads at once beside quick requests: handlers that wait for clients never
// exceed their bound, no quick request is queued behind one, and all are answered. A large upload
// goes to disk in little memory. Method: clients that send a piece now and then; the time of every
// quick request is taken; the resident memory of this process, which is client and server.
#include "support/slow_streams.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <string>

#include "support/client.h"
#include "support/temporary_folder.h"
#include "support/test_server.h"
#include "support/upload_codec.h"

namespace {

namespace tr = trireme;
using namespace std::chrono_literals;

size_t resident_bytes() {
  std::ifstream file("/proc/self/statm");
  size_t all = 0, resident = 0;
  file >> all >> resident;
  return resident * static_cast<size_t>(::sysconf(_SC_PAGESIZE));
}

TEST(SlowStreamsHeavy, AThousandLeaveOthersAlone) {
  const auto seen = support::run_slow_streams({.uploads = 1000, .pause = 200ms});
  EXPECT_EQ(seen.uploads_answered, 1000u);
  EXPECT_EQ(seen.most_at_work, seen.permits);
  EXPECT_GT(seen.quick_answered, 0u);
  EXPECT_LE(seen.slowest_quick, 250ms);
  std::cout << seen.quick_answered << " quick requests, the slowest took "
            << seen.slowest_quick / 1us << " us\n";
}

TEST(SlowStreamsHeavy, ALargeUploadGoesToDiskInLittleMemory) {
  constexpr size_t kBytes = 64 << 20, kGrowthMax = 8 << 20;
  const support::TemporaryFolder folder;
  const std::string path = folder.file("upload");
  support::TestServer server({.io_workers = 2});
  server.listen(
      [&](const tr::Request& request) -> tr::Answer {
        std::ofstream file(path, std::ios::binary);
        std::array<char, 16 << 10> bytes;
        while (const size_t count = request.body().read(bytes)) {
          file.write(bytes.data(), static_cast<std::streamsize>(count));
        }
        return request.body().ended() && file.flush() ? "stored" : "failed";
      },
      {}, support::upload_codec());
  server.start();
  support::Client client(server.url());
  const std::string part(256 << 10, 'x');
  ASSERT_TRUE(client.send("PUT 1\nx"));
  ASSERT_EQ(client.line(), "stored");
  const size_t before = resident_bytes();
  size_t most = before;
  ASSERT_TRUE(client.send("PUT " + std::to_string(kBytes) + "\n"));
  for (size_t sent = 0; sent < kBytes; sent += part.size()) {
    ASSERT_TRUE(client.send(part));
    most = std::max(most, resident_bytes());
  }
  EXPECT_EQ(client.line(), "stored");
  EXPECT_EQ(std::filesystem::file_size(path), kBytes);
  EXPECT_LT(most - before, kGrowthMax);
  std::cout << "64 MiB to disk: " << ((most - before) >> 10) << " KiB of resident growth\n";
}

}  // namespace
