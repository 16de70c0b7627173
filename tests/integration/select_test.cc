// Goal: select, whose sets end at descriptor 1,023, never goes beyond them: the limit on
// connections is cut, a larger one is refused at start, and a client that gets a higher descriptor
// costs itself only. Method: a server in the test's process, which fills the low descriptors.
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <unistd.h>

#include <vector>

#include "support/client.h"
#include "support/test_server.h"
#include "support/wait.h"

namespace {

using support::Client;
using support::TestServer;
namespace tr = trireme;

tr::ServerOptions selecting() { return {.io_workers = 1, .driver = tr::DriverKind::kSelect}; }

TEST(Select, MoreConnectionsThanItHoldsAreRefusedAtStart) {
  tr::ServerOptions options = selecting();
  options.connections_max = 1000;
  tr::Server server(options);
  server.listen("tcp://127.0.0.1:0", tr::lines(), support::mark);
  const tr::Result<tr::Done> result = server.start();
  ASSERT_FALSE(result.ok());
  EXPECT_EQ(result.error().code, tr::Error::Code::kUsage);
  EXPECT_NE(result.error().message.find("at most 987 with the driver select"), std::string::npos)
      << result.error().message;
}

TEST(Select, ADescriptorBeyondTheSetsCostsThatClientOnly) {
  TestServer server(selecting());
  server.listen(support::mark);
  server.start();
  Client early(server.url());
  ASSERT_EQ(early.ask("early"), "<early>");
  std::vector<int> fill;
  while (fill.empty() || fill.back() < FD_SETSIZE) {
    fill.push_back(::fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 0));
    ASSERT_GE(fill.back(), 0);
  }
  Client late(server.url());
  EXPECT_EQ(late.receive_all(), "");
  EXPECT_TRUE(
      support::wait_until([&] { return server.closed(tr::CloseReason::kSystemError) == 1; }));
  EXPECT_TRUE(support::wait_until([&] {
    return server.log().find("choose the driver epoll or poll") != std::string::npos;
  })) << server.log();
  EXPECT_EQ(early.ask("still here"), "<still here>");
  for (const int fd : fill) ::close(fd);
  EXPECT_EQ(Client(server.url()).ask("later"), "<later>");
}

// At start, too: the wake-up descriptor and the sockets that listen must be in the sets.
TEST(Select, StartsOnlyWhereItsOwnDescriptorsFit) {
  std::vector<int> fill;
  while (fill.empty() || fill.back() < FD_SETSIZE) {
    fill.push_back(::fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 0));
    ASSERT_GE(fill.back(), 0);
  }
  tr::Server server(selecting());
  server.listen("tcp://127.0.0.1:0", tr::lines(), support::mark);
  const tr::Result<tr::Done> result = server.start();
  ASSERT_FALSE(result.ok());
  EXPECT_NE(result.error().message.find("select watches descriptors below 1024"), std::string::npos)
      << result.error().message;
  for (const int fd : fill) ::close(fd);
}

}  // namespace
