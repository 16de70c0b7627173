// Goal: in its steady state a request allocates nothing, on whatever thread it runs: echo of bytes
// and lines, one at a time and sixteen at once. Method: operator new counts; a client that uses one
// buffer; a warm-up, then thousands of requests.
#include <poll.h>
#include <sys/socket.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <memory>
#include <new>
#include <string>

#include "support/client.h"
#include "support/test_server.h"

namespace {

std::atomic<uint64_t> allocations{0};

void* allocate(size_t bytes) {
  allocations.fetch_add(1, std::memory_order_relaxed);
  void* memory = std::malloc(bytes > 0 ? bytes : 1);
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}

}  // namespace

void* operator new(size_t bytes) { return allocate(bytes); }
void* operator new[](size_t bytes) { return allocate(bytes); }
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete[](void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, size_t) noexcept { std::free(memory); }
void operator delete[](void* memory, size_t) noexcept { std::free(memory); }

namespace {

using support::Client;
using support::TestServer;
namespace tr = trireme;

class AllocationsTest : public support::ServerTest {
 protected:
  // `depth` lines at once, `rounds` times, without a string of our own. False: the connection
  // broke.
  static bool ask(int fd, int depth, int rounds) {
    std::array<char, 1024> buffer{};
    size_t bytes = 0;
    for (int i = 0; i < depth; ++i) {
      for (const char c : std::string_view("a line of some bytes\n")) buffer[bytes++] = c;
    }
    for (int round = 0; round < rounds; ++round) {
      if (::send(fd, buffer.data(), bytes, MSG_NOSIGNAL) != static_cast<ssize_t>(bytes))
        return false;
      for (size_t got = 0; got < bytes;) {
        std::array<char, 1024> reply;
        const ssize_t more = ::recv(fd, reply.data(), reply.size(), 0);
        if (more > 0) {
          got += static_cast<size_t>(more);
          continue;
        }
        pollfd waiting{.fd = fd, .events = POLLIN, .revents = 0};
        if (more == 0 || errno != EAGAIN || ::poll(&waiting, 1, 10'000) != 1) return false;
      }
    }
    return true;
  }

  void expect_none(const std::shared_ptr<const tr::Codec>& codec, int depth) {
    TestServer server(options());
    server.listen([](const tr::Request& request) -> tr::Answer { return request.text(); }, {},
                  codec);
    server.start();
    Client client(server.url());
    ASSERT_TRUE(ask(client.fd(), depth, 3000));
    // A thread that starts allocates, and so does a reserve that takes a loop from a starved
    // thread: the machine may do that once. What each request does it does in every window.
    uint64_t least = UINT64_MAX;
    for (int window = 0; window < 5 && least > 0; ++window) {
      const uint64_t before = allocations.load();
      ASSERT_TRUE(ask(client.fd(), depth, 1000));
      least = std::min(least, allocations.load() - before);
    }
    EXPECT_EQ(least, 0u) << "in " << 1000 * depth << " requests";
  }
};

TEST_P(AllocationsTest, NoneForALine) { expect_none(tr::lines(), 1); }
TEST_P(AllocationsTest, NoneForSixteenLines) { expect_none(tr::lines(), 16); }
TEST_P(AllocationsTest, NoneForAnEcho) { expect_none(tr::bytes(), 1); }

TEST(Allocations, AreCounted) {
  const uint64_t before = allocations.load();
  const auto one = std::make_unique<std::array<char, 100>>();
  EXPECT_GT(allocations.load(), before) << static_cast<const void*>(one.get());
}

INSTANTIATE_TEST_SUITE_P(Setups, AllocationsTest, ::testing::ValuesIn(support::every_setup()),
                         support::name_of);

}  // namespace
