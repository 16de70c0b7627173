// Goal: the program `trireme` starts, refuses to start, and ends as INTERFACE says: exit statuses,
// sentences, signals, and nothing but `listening on` lines on its standard output.
// Method: the real program as a child process.
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/syscall.h>

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "support/child.h"
#include "support/client.h"
#include "support/test_server.h"
#include "support/text.h"

namespace {
using support::contains;

using support::Child;
using support::Client;
using support::wait_until;
using namespace std::chrono_literals;

using support::kAnyPort;
constexpr const char* kAnyPort6 = "tcp://[::1]:0";

bool is_one_line(const std::string& text) {
  return !text.empty() && text.find('\n') == text.size() - 1;
}

TEST(Program, PortInUse) {
  Child first({"serve", "echo", "--listen", kAnyPort});
  const std::string url = first.url();
  Child second({"serve", "echo", "--listen", url});
  EXPECT_EQ(second.wait_exit(), 1);
  EXPECT_EQ(second.out(), "");
  EXPECT_TRUE(is_one_line(second.errors())) << second.errors();
  EXPECT_TRUE(contains(second.errors(), url) && contains(second.errors(), "in use"))
      << second.errors();
}

TEST(Program, WrongCommandLines) {
  const std::vector<std::vector<std::string>> lines = {
      {"serve", "echo", "--listen", "nonsense"},
      // why: 65536 is no port at all
      {"serve", "echo", "--listen", "tcp://127.0.0.1:65536"},
      {"serve", "echo", "--listen", "gopher://127.0.0.1:0"},
      {"serve", "echo", "--listen", kAnyPort, "--no-such-option"},
      {"serve", "echo", "--listen", kAnyPort, "--io-workers", "many"},
      {"serve", "echo", "--listen", kAnyPort, "--drain-timeout", "5 parsecs"},
      {"serve", "echo", "--listen", kAnyPort, "--driver", "steam"},
      {"serve", "echo", "--listen", kAnyPort, "--driver", "select", "--connections-max", "5000"},
      {"serve", "echo", "--listen", kAnyPort, "--buffer-bytes-max", "64KiB"},
      {"serve", "echo", "--listen", kAnyPort, "--poll-time", "11ms"},
      {"serve", "echo", "--listen", kAnyPort, "--connections-max", "4194304"},
      {"serve", "echo", "--listen", kAnyPort, "--io-workers", "1024"},
      {"serve", "nothing", "--listen", kAnyPort},
      {"serve"},
      {"row"},
      {},
      {"serve", "collect", "--listen", kAnyPort},  // no --db
  };
  for (const auto& line : lines) {
    Child child(line);
    EXPECT_EQ(child.wait_exit(), 2) << (line.empty() ? "" : line.back());
    EXPECT_EQ(child.out(), "");
    EXPECT_TRUE(is_one_line(child.errors())) << child.errors();
  }
}

// Stopped for longer than a client may be silent, it hears what came meanwhile before it looks at
// the clocks. All programs are stopped at once: the time passes once.
TEST(Program, StoppedItLosesNoClientThatHasSpoken) {
  struct Stopped {
    explicit Stopped(const std::string& driver, const std::string& poll_time)
        : child({"serve", "echo", "--listen", kAnyPort, "--driver", driver, "--poll-time",
                 poll_time, "--io-workers", "1", "--idle-timeout", "1s"}),
          loud(child.url()),
          quiet(child.url()) {}
    Child child;
    Client loud, quiet;
  };
  std::vector<std::string> drivers = {"epoll", "epoll-et", "poll", "select"};
  if (support::has_uring()) drivers.push_back("io_uring");
  std::vector<std::unique_ptr<Stopped>> all;
  for (size_t i = 0; i < 2 * drivers.size(); ++i) {
    Stopped& it =
        *all.emplace_back(std::make_unique<Stopped>(drivers[i / 2], i % 2 == 0 ? "0" : "1ms"));
    for (int n = 0; n < 20; ++n) {
      ASSERT_TRUE(it.loud.send("x"));
      ASSERT_EQ(it.loud.receive(1), "x");
    }
    ASSERT_TRUE(it.quiet.send("y"));
    ASSERT_EQ(it.quiet.receive(1), "y");
    it.child.signal(SIGSTOP);
    EXPECT_TRUE(it.loud.send("X"));
    EXPECT_TRUE(it.quiet.send("Y"));
  }
  support::let_pass(1200ms);
  for (size_t i = 0; i < all.size(); ++i) {
    all[i]->child.signal(SIGCONT);
    EXPECT_EQ(all[i]->loud.receive(1), "X") << drivers[i / 2];
    EXPECT_EQ(all[i]->quiet.receive(1), "Y") << drivers[i / 2];
  }
}

TEST(Program, FirstByteTimeoutClosesWhoSaysNothing) {
  Child child({"serve", "echo", "--listen", kAnyPort, "--first-byte-timeout", "100ms"});
  Client silent(child.url()), loud(child.url());
  ASSERT_TRUE(loud.send("x"));
  EXPECT_EQ(silent.receive_all(), "");
  EXPECT_EQ(silent.end(), Client::End::kEof);
  ASSERT_TRUE(loud.send("y"));
  EXPECT_EQ(loud.receive(2), "xy");
}

TEST(Program, SaysWhereItListensAndNothingElse) {
  Child child(
      {"serve", "echo", "--listen", kAnyPort, "--listen", kAnyPort6, "--log-level", "debug"});
  for (const std::string& url : {child.url(0), child.url(1)}) {
    Client client(url);
    ASSERT_TRUE(client.send("hello"));
    EXPECT_EQ(client.receive(5), "hello");
  }
  const std::string expected =
      "listening on " + child.url(0) + "\nlistening on " + child.url(1) + "\n";
  child.signal(SIGTERM);
  EXPECT_EQ(child.wait_exit(), 0) << child.errors();
  EXPECT_EQ(child.out(), expected);
}

TEST(Program, NamesItsThreads) {
  Child child({"serve", "delay", "--listen", kAnyPort, "--io-workers", "2"});
  ASSERT_EQ(Client(child.url()).ask("a 20000"), "a");
  for (const char* name : {"listener", "io-0", "io-1"}) {
    EXPECT_TRUE(wait_until([&] {
      const auto names = support::thread_names(child.pid());
      return std::count(names.begin(), names.end(), name) == 1;
    })) << name;
  }
}

class ProgramTest : public ::testing::TestWithParam<const char*> {
 protected:
  static std::vector<std::string> delay(std::vector<std::string> more = {}) {
    std::vector<std::string> line = {"serve",      "delay",    "--listen",     kAnyPort,
                                     "--dispatch", GetParam(), "--io-workers", "2"};
    line.insert(line.end(), more.begin(), more.end());
    return line;
  }
  static bool is_inline() { return std::string(GetParam()) == "inline"; }
};

TEST_P(ProgramTest, TerminateDrains) {
  for (const int number : {SIGTERM, SIGINT}) {
    Child child(delay());
    Client client(child.url()), idle(child.url());
    ASSERT_TRUE(client.send("a 100000\nb 0\n"));
    ASSERT_TRUE(client.wait_all_arrived());
    child.signal(number);
    EXPECT_EQ(idle.receive_all(), "");
    EXPECT_EQ(idle.end(), Client::End::kEof);
    EXPECT_EQ(client.receive_all(), "a\nb\n");
    EXPECT_EQ(client.end(), Client::End::kEof);
    client.close();
    idle.close();
    EXPECT_EQ(child.wait_exit(), 0) << child.errors();
  }
}

TEST_P(ProgramTest, SecondTerminateCutsTheDrain) {
  Child child(delay({"--drain-timeout", "60s"}));
  Client client(child.url());
  ASSERT_EQ(client.ask("a 0"), "a");
  child.signal(SIGTERM);
  EXPECT_EQ(client.receive_all(), "");  // and is not closed: the server lingers
  support::let_pass(1s);                // until then it would be the same wish
  child.signal(SIGTERM);
  EXPECT_EQ(child.wait_exit(1500ms), 1) << child.errors();
}

TEST_P(ProgramTest, SecondTerminateCutsAHandler) {
  Child child(delay({"--drain-timeout", "60s"}));
  Client client(child.url());
  ASSERT_TRUE(client.send("a 60000000\n"));
  ASSERT_TRUE(wait_until([&] { return child.is_in(SYS_clock_nanosleep); }));
  child.signal(SIGINT);
  EXPECT_TRUE(wait_until([&] { return !Client(child.url()).connected(); }));
  child.signal(SIGINT);
  EXPECT_EQ(child.wait_exit(5s), 1);
  EXPECT_TRUE(contains(child.errors(), "'delay'")) << child.errors();
}

TEST_P(ProgramTest, NamesTheHandlerThatIsStuckAtTheDeadline) {
  Child child(delay({"--drain-timeout", "100ms"}));
  Client client(child.url());
  ASSERT_TRUE(client.send("a 60000000\n"));
  ASSERT_TRUE(wait_until([&] { return child.is_in(SYS_clock_nanosleep); }));
  child.signal(SIGTERM);
  EXPECT_EQ(child.wait_exit(5s), 1);
  EXPECT_TRUE(contains(child.errors(), "a handler of 'delay'") &&
              contains(child.errors(), "has not returned"))
      << child.errors();
}

TEST_P(ProgramTest, HangUpIsIgnored) {
  Child child(delay());
  Client client(child.url());
  ASSERT_EQ(client.ask("a 0"), "a");
  child.signal(SIGHUP);
  EXPECT_TRUE(wait_until([&] { return contains(child.errors(), "SIGHUP ignored"); }));
  EXPECT_EQ(client.ask("b 0"), "b");
  client.close();
  child.signal(SIGTERM);
  EXPECT_EQ(child.wait_exit(), 0);
}

INSTANTIATE_TEST_SUITE_P(Dispatch, ProgramTest, ::testing::Values("inline", "workers", "adaptive"),
                         [](const auto& test) { return std::string(test.param); });

// Fewer descriptors than clients: those who wait cost no time, and are served when others leave.
class DescriptorTest : public ::testing::TestWithParam<std::vector<std::string>> {};

TEST_P(DescriptorTest, MoreClientsThanDescriptors) {
  // The check of types asks the kernel, through a pipe, whether an address is readable.
  if (support::kSanitized) GTEST_SKIP() << "a sanitizer needs descriptors of its own";
  std::vector<std::string> line = {"serve", "echo", "--listen", kAnyPort, "--io-workers", "2"};
  line.insert(line.end(), GetParam().begin(), GetParam().end());
  const bool on_uring = std::find(line.begin(), line.end(), "io_uring") != line.end();
  if (on_uring && !support::has_uring()) GTEST_SKIP() << "no io_uring here";
  Child child(line, {.descriptors_max = 64});
  const std::string url = child.url();
  std::vector<Client> clients;
  for (int i = 0; i < 200; ++i) {
    clients.emplace_back(url);
    ASSERT_TRUE(clients.back().send("x"));
  }
  // The Listener takes them in their order. Of loops that accept by themselves one may have used up
  // the descriptors before the other, which has the first client, has run.
  const bool in_order = std::find(line.begin(), line.end(), "loops") == line.end();
  const auto is_served = [](Client& client) { return client.readable_within(0ms); };
  ASSERT_TRUE(in_order ? clients[0].readable_within(10s) : wait_until([&] {
    return std::any_of(clients.begin(), clients.end(), is_served);
  }));
  support::let_pass(200ms);
  const auto before = child.cpu_time();
  support::let_pass(500ms);
  EXPECT_LE(child.cpu_time() - before, 100ms) << "it spins";
  size_t served = 0;
  EXPECT_TRUE(wait_until([&] {
    for (Client& client : clients) {
      if (!client.connected() || !client.readable_within(0ms)) continue;
      EXPECT_EQ(client.receive(1), "x");
      client.close();
      ++served;
    }
    return served == clients.size();
  })) << served;
  child.signal(SIGTERM);
  EXPECT_EQ(child.wait_exit(), 0) << child.errors();
}

INSTANTIATE_TEST_SUITE_P(
    Limits, DescriptorTest,
    ::testing::Values(std::vector<std::string>{}, std::vector<std::string>{"--driver", "epoll-et"},
                      std::vector<std::string>{"--driver", "poll"},
                      std::vector<std::string>{"--driver", "select"},
                      std::vector<std::string>{"--connections-max", "1000"},
                      std::vector<std::string>{"--accepting", "loops"},
                      std::vector<std::string>{"--accepting", "loops", "--connections-max", "1000"},
                      std::vector<std::string>{"--accepting", "loops", "--driver", "io_uring"},
                      std::vector<std::string>{"--accepting", "loops", "--driver", "io_uring",
                                               "--connections-max", "1000"},
                      std::vector<std::string>{"--connections-max", "1000", "--dispatch", "workers",
                                               "--driver", "epoll-et"}));

}  // namespace
