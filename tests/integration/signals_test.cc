// Goal: a signal is neither lost nor taken for two: not where our parent blocks it, not in the
// first moment, not where two servers run, not as the last thing before the process ends. Method:
// the real program, and servers of a copy of this process that run() alone, told by signals of
// which the state of the process says when they are due.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "runtime/system/real_signals.h"
#include "support/child.h"
#include "support/client.h"
#include "support/collect_rounds.h"
#include "support/test_server.h"
#include "support/text.h"

namespace {
using support::contains;

using support::Child;
using support::Client;
using support::wait_until;
namespace tr = trireme;
using namespace std::chrono_literals;

using support::kAnyPort;

// In a child: a server that says where it listens, and runs until it is told not to.
int run_echo() {
  tr::Server server({.io_workers = 1});
  server.listen(kAnyPort, tr::lines(), support::mark);
  return server.run([&] {
    std::printf("listening on %s\n", server.urls()[0].c_str());
    std::fflush(stdout);
  });
}

TEST(Signals, BlockedByTheParentTheyDrain) {
  for (const int number : {SIGTERM, SIGINT}) {
    const Child::Options blocked{.blocked = {SIGTERM, SIGINT, SIGHUP}};
    Child program({"serve", "echo", "--listen", kAnyPort}, blocked);
    Child library(run_echo, blocked);
    for (Child* child : {&program, &library}) {
      ASSERT_FALSE(child->url().empty()) << child->errors();
      child->signal(number);
      EXPECT_EQ(child->wait_exit(5s), 0) << child->errors();
      EXPECT_TRUE(contains(child->errors(), "drained")) << child->errors();
    }
  }
}

TEST(Signals, BlockedByTheParentTheyEndALoad) {
  Child server({"serve", "echo", "--listen", kAnyPort});
  const std::string url = server.url();
  const auto before = server.cpu_time();
  Child load({"bench", "echo", url, "--duration", "1h", "--warm-up", "0"},
             {.blocked = {SIGTERM, SIGINT}});
  // Something has been answered.
  ASSERT_TRUE(wait_until([&] { return server.cpu_time() > before + 30ms; }));
  load.signal(SIGTERM);
  EXPECT_EQ(load.wait_exit(5s), 0) << load.out() << load.errors();
}

// Sent before the first instruction: nothing comes earlier. No client has been promised anything,
// so the program ends at once.
TEST(Signals, InTheFirstMomentTheyEndTheProcess) {
  support::Scratch scratch;
  const Child::Options pending{.blocked = {SIGTERM, SIGINT}, .pending = {SIGTERM}};
  Child serve({"serve", "collect", "--listen", kAnyPort, "--db", scratch.file("db")}, pending);
  EXPECT_EQ(serve.wait_exit(5s), 0) << serve.errors();
  EXPECT_EQ(serve.out(), "");
  Child load({"bench", "echo", "tcp://127.0.0.1:0", "--duration", "1h"}, pending);
  EXPECT_EQ(load.wait_exit(5s), 1) << "it has measured nothing";
  Child library(run_echo, pending);
  EXPECT_EQ(library.wait_exit(5s), 0) << library.errors();
  EXPECT_TRUE(contains(library.errors(), "drained")) << library.errors();
}

// A file on which another process has SQLite's lock (of the bytes from 1 GiB on).
class LockedFile {
 public:
  explicit LockedFile(const std::string& path)
      : fd_(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600)) {
    struct flock lock {};
    lock.l_type = F_WRLCK;
    lock.l_start = 0x40000000;
    lock.l_len = 512;
    locked_ = ::fcntl(fd_, F_SETLK, &lock) == 0;
  }
  ~LockedFile() { ::close(fd_); }
  LockedFile(const LockedFile&) = delete;
  LockedFile& operator=(const LockedFile&) = delete;
  bool locked() const { return locked_; }

 private:
  const int fd_;
  bool locked_ = false;
};

// As process 1 of a container, whose signals the kernel drops as long as nobody catches them.
TEST(Signals, AsProcessOneWhileTheDatabaseOpens) {
  if (support::kSanitized) GTEST_SKIP() << "the leak check needs a /proc of its own";
  const std::vector<std::string> through = {"unshare", "--user", "--map-root-user",
                                            "--pid",   "--fork", "--kill-child"};
  Child probe({"--version"}, {.through = through});
  if (probe.wait_exit() != 0) GTEST_SKIP() << "no namespaces here: " << probe.errors();
  for (const int number : {SIGTERM, SIGINT}) {
    support::Scratch scratch;
    const LockedFile locked(scratch.file("db"));
    ASSERT_TRUE(locked.locked());
    Child child({"serve", "collect", "--listen", kAnyPort, "--db", scratch.file("db")},
                {.through = through});
    ASSERT_GT(child.find_traced(), 0) << child.errors();
    ASSERT_TRUE(wait_until([&] { return child.is_in(SYS_clock_nanosleep); })) << child.errors();
    child.signal(number);
    EXPECT_EQ(child.wait_exit(2s), 0) << child.errors();
    EXPECT_EQ(child.out(), "");
  }
}

TEST(Signals, HangUpIsIgnoredWhileTheDatabaseOpens) {
  support::Scratch scratch;
  std::optional<LockedFile> locked(scratch.file("db"));
  Child child({"serve", "collect", "--listen", kAnyPort, "--db", scratch.file("db")});
  ASSERT_TRUE(wait_until([&] { return child.is_in(SYS_clock_nanosleep); })) << child.errors();
  child.signal(SIGHUP);
  locked.reset();
  ASSERT_FALSE(child.url().empty()) << child.errors();
  EXPECT_TRUE(wait_until([&] { return contains(child.errors(), "SIGHUP ignored"); }));
  child.signal(SIGTERM);
  EXPECT_EQ(child.wait_exit(), 0) << child.errors();
}

// Of a server whose client has not gone: its drain lasts.
TEST(Signals, TerminateTwiceWithinASecondIsOneWish) {
  for (const int first : {SIGTERM, SIGINT}) {
    Child child({"serve", "delay", "--listen", kAnyPort, "--drain-timeout", "60s"});
    Client client(child.url());
    ASSERT_EQ(client.ask("a 0"), "a");
    child.signal(first);
    EXPECT_EQ(client.receive_all(), "");
    child.signal(SIGTERM);
    child.signal(SIGTERM);
    EXPECT_EQ(child.wait_exit(300ms), -1) << child.errors();
    client.close();
    EXPECT_EQ(child.wait_exit(), 0) << child.errors();
  }
}

TEST(Signals, InterruptTwiceCuts) {
  Child child({"serve", "delay", "--listen", kAnyPort, "--drain-timeout", "60s"});
  Client client(child.url());
  ASSERT_EQ(client.ask("a 0"), "a");
  child.signal(SIGINT);
  EXPECT_EQ(client.receive_all(), "");
  child.signal(SIGINT);
  EXPECT_EQ(child.wait_exit(700ms * support::kSlowness), 1) << child.errors();
}

TEST(Signals, WhichOnesRepeatAWish) {
  using Signal = tr::RealSignals::Signal;
  const Signal first{.number = SIGTERM, .at = tr::TimePoint(5s)};
  EXPECT_TRUE((Signal{SIGTERM, tr::TimePoint(5999ms)}).repeats(first));
  EXPECT_FALSE((Signal{SIGTERM, tr::TimePoint(6s)}).repeats(first));
  EXPECT_FALSE((Signal{SIGINT, tr::TimePoint(5s)}).repeats(first));
  EXPECT_TRUE((Signal{SIGTERM, tr::TimePoint(5s)}).repeats({SIGINT, tr::TimePoint(5s)}));
}

// One wish, said all the time until the process has gone.
TEST(Signals, TheLastMomentKeepsTheStatus) {
  for (int i = 0; i < support::scaled(20); ++i) {
    Child child({"serve", "echo", "--listen", kAnyPort, "--io-workers", "1"});
    ASSERT_FALSE(child.url().empty()) << child.errors();
    int status = -1;
    while (status < 0) {
      child.signal(SIGTERM);
      status = child.wait_exit(0s);
    }
    ASSERT_EQ(status, 0) << child.errors();
  }
  // The very last moment: run() has returned.
  Child library([] {
    const int status = run_echo();
    ::raise(SIGTERM);
    ::raise(SIGINT);
    return status;
  });
  ASSERT_FALSE(library.url().empty());
  library.signal(SIGTERM);
  EXPECT_EQ(library.wait_exit(), 0) << library.errors();
}

// Who goes on after run() can be ended as ever.
TEST(Signals, ActByDefaultASecondAfterTheEnd) {
  Child library([] {
    run_echo();
    support::let_pass(1100ms);
    ::raise(SIGTERM);
    return 0;
  });
  ASSERT_FALSE(library.url().empty());
  library.signal(SIGTERM);
  EXPECT_EQ(library.wait_exit(), 128 + SIGTERM) << library.errors();
}

void note_signal(int) { std::printf("the handler of before\n"); }

TEST(Signals, GiveBackTheHandlerOfBefore) {
  Child library([] {
    ::signal(SIGTERM, note_signal);
    const int status = run_echo();
    ::raise(SIGTERM);
    return status;
  });
  ASSERT_FALSE(library.url().empty());
  library.signal(SIGTERM);
  EXPECT_EQ(library.wait_exit(), 0) << library.errors();
  EXPECT_TRUE(contains(library.out(), "the handler of before")) << library.out();
}

TEST(Signals, EndTwoServersOfOneProcess) {
  Child both([] {
    int other = -1;
    std::thread thread([&] { other = run_echo(); });
    const int status = run_echo();
    thread.join();
    return status + other;
  });
  ASSERT_FALSE(both.url(0).empty());
  ASSERT_FALSE(both.url(1).empty());
  both.signal(SIGTERM);
  EXPECT_EQ(both.wait_exit(5s), 0) << both.errors();

  Child in_turn([] { return run_echo() + run_echo(); });
  for (const size_t index : {0u, 1u}) {
    ASSERT_FALSE(in_turn.url(index).empty()) << in_turn.errors();
    in_turn.signal(SIGTERM);
  }
  EXPECT_EQ(in_turn.wait_exit(5s), 0) << in_turn.errors();
}

// The first of two that run at once may be the first to end: the other one still listens.
TEST(Signals, ReachTheServerThatGoesOn) {
  Child child([] {
    tr::Server early({.io_workers = 1});
    early.listen(kAnyPort, tr::lines(), support::mark);
    std::atomic<bool> ready{false};
    std::thread thread([&] { early.run([&] { ready = true; }); });
    wait_until([&] { return ready.load(); });
    std::thread drain([&] {
      early.drain();
      thread.join();
    });
    const int status = run_echo();
    drain.join();
    return status;
  });
  ASSERT_FALSE(child.url().empty()) << child.errors();
  EXPECT_TRUE(wait_until([&] { return contains(child.errors(), "drained"); }));
  child.signal(SIGTERM);
  EXPECT_EQ(child.wait_exit(5s), 0) << child.errors();
}

}  // namespace
