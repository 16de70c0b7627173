// Goal: a handler may fork. Clients hear of the end of their streams although a child holds copies
// of all descriptors, and the child has its signals and its limit of descriptors as if there were
// no server. Method: handlers that fork children which stay, or look and end.
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <optional>
#include <string>
#include <string_view>

#include "support/client.h"
#include "support/test_server.h"
#include "support/wait.h"

namespace {

using support::Client;
using support::TestServer;
namespace tr = trireme;

// A child that holds all copies until it is killed.
class Holder {
 public:
  explicit Holder(pid_t pid) : pid_(pid) {}
  ~Holder() {
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }
  Holder(const Holder&) = delete;
  Holder& operator=(const Holder&) = delete;

 private:
  const pid_t pid_;
};

pid_t fork_holder() {
  const pid_t pid = ::fork();
  if (pid != 0) return pid;
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  while (true) ::pause();
}

tr::Answer fork_or_mark(const tr::Request& request) {
  if (request.text() == "fork") return std::to_string(fork_holder());
  return support::mark(request);
}

class ForkTest : public support::ServerTest {};
INSTANTIATE_TEST_SUITE_P(Setups, ForkTest, ::testing::ValuesIn(support::every_setup()),
                         support::name_of);

TEST_P(ForkTest, AChildDoesNotDelayTheEndOfStreams) {
  std::optional<Holder> holder;
  std::string url;
  {
    tr::ServerOptions quick = options();
    quick.linger_time_max = std::chrono::milliseconds(20);
    TestServer server(quick);
    server.listen(fork_or_mark);
    server.start();
    url = server.url();
    Client client(url), other(url), closed(url);
    EXPECT_EQ(other.ask("x"), "<x>");
    holder.emplace(std::stoi(client.ask("fork")));
    // The client's end, with and without a request in front of it.
    EXPECT_EQ(client.converse("y\n", true), "<y>\n");
    EXPECT_EQ(client.end(), Client::End::kEof);
    EXPECT_EQ(other.converse("", true), "");
    EXPECT_EQ(other.end(), Client::End::kEof);
    EXPECT_EQ(closed.ask("z"), "<z>");
    server.drain();
    EXPECT_EQ(closed.receive_all(), "");
    EXPECT_EQ(closed.end(), Client::End::kEof);
  }
  EXPECT_FALSE(Client(url).connected()) << "the child listens on";
}

// What a child of a handler finds, as an exit status: 0 is as it should be.
int look_around(rlim_t limit_wanted) {
  sigset_t blocked;
  ::sigprocmask(SIG_BLOCK, nullptr, &blocked);
  if (sigismember(&blocked, SIGTERM) != 0) return 1;
  rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  return limit.rlim_cur == limit_wanted ? 0 : 2;
}

TEST(ForkedChild, HasItsSignalsAndItsDescriptorLimit) {
  rlimit before{}, low{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &before), 0);
  low = before;
  low.rlim_cur = 600;
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &low), 0);
  for (const tr::Dispatch dispatch :
       {tr::Dispatch::kInline, tr::Dispatch::kWorkers, tr::Dispatch::kAdaptive}) {
    ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &low), 0);
    TestServer server({.io_workers = 1, .dispatch = dispatch});
    server.listen([](const tr::Request&) -> tr::Answer {
      const pid_t pid = ::fork();
      if (pid == 0) ::_exit(look_around(600));
      int status = -1;
      ::waitpid(pid, &status, 0);
      return std::to_string(WIFEXITED(status) ? WEXITSTATUS(status) : -1);
    });
    server.start();
    EXPECT_EQ(Client(server.url()).ask("fork"), "0");
  }
  EXPECT_EQ(::setrlimit(RLIMIT_NOFILE, &before), 0);
}

// A signal to the child is not one to the server.
TEST(ForkedChild, DoesNotDrainItsParent) {
  tr::Server server({.io_workers = 1, .log = [](tr::LogLevel, std::string_view) {}});
  server.listen("tcp://127.0.0.1:0", tr::lines(), support::mark);
  int status = 0;
  EXPECT_EQ(server.run([&] {
    const pid_t pid = ::fork();
    if (pid == 0) {
      ::raise(SIGTERM);
      ::_exit(0);
    }
    ::waitpid(pid, &status, 0);
    EXPECT_EQ(Client(server.urls()[0]).ask("x"), "<x>");
    ::raise(SIGTERM);
  }),
            0);
  EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM) << status;
}

// The zone of a link-local address is looked up: without, the system says EINVAL.
TEST(LinkLocal, NeedsAnInterfaceThatIsThere) {
  const auto refusal = [](const char* url) -> std::string {
    tr::Server server({.io_workers = 1, .log = [](tr::LogLevel, std::string_view) {}});
    server.listen(url, tr::lines(), support::mark);
    const tr::Result<tr::Done> started = server.start();
    return started ? "it has started" : started.error().message;
  };
  EXPECT_NE(refusal("tcp://[fe80::1]:0").find("needs its interface"), std::string::npos);
  EXPECT_NE(refusal("tcp://[fe80::1%nosuch0]:0").find("no interface 'nosuch0'"), std::string::npos);
  EXPECT_NE(refusal("tcp://[fe80::1%0]:0").find("no interface '0'"), std::string::npos);
  for (const char* url : {"tcp://[fe80::1%lo]:0", "tcp://[fe80::1%1]:0"}) {
    EXPECT_NE(refusal(url).find("this machine has no such address"), std::string::npos)
        << refusal(url);
  }
}

}  // namespace
