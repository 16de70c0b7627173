// Goal: where the system forbids io_uring, that is said, and costs nothing: the options stay as
// they are, `--driver io_uring` ends with status 1, `--driver auto` serves on epoll. Where it is
// allowed, both serve on it. Method: a filter of system calls in a forked process, as containers
// have it.
#include <gtest/gtest.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstddef>
#include <string>
#include <utility>

#include "runtime/drivers/driver_factory.h"
#include "support/child.h"
#include "support/client.h"
#include "support/test_server.h"
#include "support/text.h"
#include "trireme/uring.h"

namespace {
using support::contains;

using support::Child;
using support::Client;
namespace tr = trireme;

// From now on, for this process and its children.
void forbid(long system_call, uint32_t error) {
  sock_filter filter[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, static_cast<uint32_t>(system_call), 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | error),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  const sock_fprog program{4, filter};
  ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  ::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program);
}

// Status 0 of a process in which `check` holds.
template <class Check>
[[noreturn]] void exit_with(Check check) {
  const std::string complaint = check();
  if (!complaint.empty()) std::fprintf(stderr, "%s\n", complaint.c_str());
  ::_exit(complaint.empty() ? 0 : 1);
}

std::string refused(const char* why) {
  tr::ServerOptions options;
  const tr::Result<tr::Done> used = tr::use_io_uring(options);
  if (used) return "it was not refused";
  if (!options.driver.is_built_in()) return "the options were changed";
  return contains(used.error().message, why) ? "" : used.error().message;
}

TEST(UringRefused, EachCallThatMayBeForbiddenIsFoundOut) {
  for (const long call : {__NR_io_uring_setup, __NR_io_uring_register, __NR_io_uring_enter}) {
    EXPECT_EXIT(exit_with([&] {
                  forbid(call, EPERM);
                  return refused("this system forbids it");
                }),
                ::testing::ExitedWithCode(0), "")
        << call;
  }
  EXPECT_EXIT(exit_with([] {
                forbid(__NR_io_uring_setup, ENOSYS);
                return refused("this kernel does not have it");
              }),
              ::testing::ExitedWithCode(0), "");
}

TEST(UringRefused, ChosenAsTheDriverItIsAnErrorOfStart) {
  EXPECT_EXIT(exit_with([]() -> std::string {
                forbid(__NR_io_uring_setup, EPERM);
                tr::Server server({.io_workers = 1, .driver = tr::io_uring()});
                server.listen("tcp://127.0.0.1:0", tr::lines(), support::mark);
                const tr::Result<tr::Done> started = server.start();
                if (started) return "it was not refused";
                return contains(started.error().message, "this system forbids it")
                           ? ""
                           : started.error().message;
              }),
              ::testing::ExitedWithCode(0), "");
}

TEST(UringRefused, ByNameItIsAnErrorAtStart) {
  EXPECT_EXIT(
      exit_with([]() -> std::string {
        forbid(__NR_io_uring_setup, EPERM);
        Child child({"serve", "echo", "--listen", "tcp://127.0.0.1:0", "--driver", "io_uring"});
        const int status = child.wait_exit();
        if (status != 1 || !child.out().empty()) return "status " + std::to_string(status);
        return contains(child.errors(), "io_uring cannot be used") ? "" : child.errors();
      }),
      ::testing::ExitedWithCode(0), "");
}

TEST(UringRefused, AutoSaysWhyAndServesOnEpoll) {
  EXPECT_EXIT(exit_with([]() -> std::string {
                forbid(__NR_io_uring_setup, EPERM);
                Child child({"serve", "echo", "--listen", "tcp://127.0.0.1:0", "--driver", "auto"});
                Client client(child.url());
                client.send("x");
                if (client.receive(1) != "x") return "no answer";
                child.signal(SIGTERM);
                if (child.wait_exit() != 0) return "no drain";
                return contains(child.errors(), "io_uring cannot be used") &&
                               contains(child.errors(), "using epoll")
                           ? ""
                           : child.errors();
              }),
              ::testing::ExitedWithCode(0), "");
}

// From now on little memory may be locked: enough for one ring, not for those of many loops. By a
// user of his own, for rings are charged to the user. False: nobody but root may become one.
bool lock_little() {
  const rlimit limit{2 << 20, 2 << 20};
  const auto user = static_cast<uid_t>(100'000 + ::getpid());
  return ::setrlimit(RLIMIT_MEMLOCK, &limit) == 0 && ::setresgid(user, user, user) == 0 &&
         ::setresuid(user, user, user) == 0;
}

constexpr const char* kManyLoops = "64";

// Its try-out tries what will be used: as many rings as there will be loops.
TEST(UringRefused, WhereTooLittleMayBeLockedForAllLoops) {
  if (!support::has_uring() || ::geteuid() != 0) GTEST_SKIP() << "needs root, and io_uring";
  EXPECT_EXIT(exit_with([]() -> std::string {
                if (!lock_little()) return "cannot lock little";
                tr::ServerOptions many{.io_workers = 64}, one{.io_workers = 1};
                const tr::Result<tr::Done> used = tr::use_io_uring(many);
                if (used || !many.driver.is_built_in()) return "it was not refused";
                if (!contains(used.error().message, "64 event loops") ||
                    !contains(used.error().message, "2048 KiB")) {
                  return used.error().message;
                }
                const bool has_one =
                    support::wait_until([&] { return tr::use_io_uring(one).ok(); });
                return has_one ? "" : "not even one ring";
              }),
              ::testing::ExitedWithCode(0), "");
}

TEST(UringRefused, WhereTooLittleMayBeLockedAutoServesOnEpoll) {
  if (!support::has_uring() || ::geteuid() != 0) GTEST_SKIP() << "needs root, and io_uring";
  EXPECT_EXIT(exit_with([]() -> std::string {
                if (!lock_little()) return "cannot lock little";
                Child named({"serve", "echo", "--listen", "tcp://127.0.0.1:0", "--driver",
                             "io_uring", "--io-workers", kManyLoops});
                if (named.wait_exit() != 1) return "by name it was not refused";
                if (!contains(named.errors(), "may be locked")) return named.errors();
                Child child({"serve", "echo", "--listen", "tcp://127.0.0.1:0", "--driver", "auto",
                             "--io-workers", kManyLoops});
                Client client(child.url());
                client.send("x");
                if (client.receive(1) != "x") return "no answer: " + child.errors();
                client.close();
                child.signal(SIGTERM);
                if (child.wait_exit() != 0) return "no drain";
                return contains(child.errors(), "using epoll") ? "" : child.errors();
              }),
              ::testing::ExitedWithCode(0), "");
}

// What was tried is used: where the rings of eight loops take more than half of what may be locked,
// they start all the same.
TEST(UringAllowed, TheRingsThatWereTriedAreUsed) {
  if (!support::has_uring() || ::geteuid() != 0) GTEST_SKIP() << "needs root, and io_uring";
  EXPECT_EXIT(exit_with([]() -> std::string {
                if (!lock_little()) return "cannot lock little";
                tr::ServerOptions options{.io_workers = 8,
                                          .log = [](tr::LogLevel, std::string_view) {}};
                const tr::Result<tr::Done> used = tr::use_io_uring(options);
                if (!used) return used.error().message;
                tr::Server server(options);
                server.listen("tcp://127.0.0.1:0", tr::lines(), support::mark);
                const tr::Result<tr::Done> started = server.start();
                if (!started) return started.error().message;
                return Client(server.urls()[0]).ask("x") == "<x>" ? "" : "no answer";
              }),
              ::testing::ExitedWithCode(0), "");
}

TEST(UringAllowed, TheToolServesOnIt) {
  if (!support::has_uring()) GTEST_SKIP() << "this system refuses io_uring";
  const std::pair<const char*, const char*> choices[] = {
      {"io_uring", "listener"}, {"io_uring", "loops"}, {"auto", "listener"}, {"auto", "loops"}};
  for (const auto& [driver, accepting] : choices) {
    Child child({"serve", "delay", "--listen", "tcp://127.0.0.1:0", "--driver", driver,
                 "--accepting", accepting});
    Client client(child.url());
    EXPECT_EQ(client.ask("a 0"), "a");
    EXPECT_EQ(client.ask("b 2000"), "b");
    client.close();
    child.signal(SIGTERM);
    EXPECT_EQ(child.wait_exit(), 0);
    EXPECT_TRUE(contains(child.errors(), "no loop changes hands with the driver io_uring"))
        << child.errors();
  }
}

// Under `adaptive`: no hand-over, but what is pinned inline runs on the loop.
TEST(UringAllowed, AdaptiveStartsOnDataWorkersUnlessPinned) {
  if (!support::has_uring()) GTEST_SKIP() << "this system refuses io_uring";
  for (const bool pinned : {false, true}) {
    tr::ServerOptions options{.io_workers = 1, .dispatch = tr::Dispatch::kAdaptive};
    ASSERT_TRUE(tr::use_io_uring(options).ok());
    support::TestServer server(options);
    tr::ListenOptions listen;
    if (pinned) listen.pinned_kinds = {{0, tr::Dispatch::kInline}};
    server.listen(
        [](const tr::Request& request) -> tr::Answer {
          if (request.text() == "block") support::let_pass(std::chrono::milliseconds(80));
          char name[16] = "";
          pthread_getname_np(pthread_self(), name, sizeof(name));
          return request.text() == "who" ? std::string(name) : std::string("?");
        },
        listen);
    server.start();
    Client client(server.url());
    const std::string thread = client.ask("who");
    EXPECT_EQ(thread.rfind(pinned ? "io-" : "data-", 0), 0u) << thread;
    EXPECT_EQ(client.ask("block"), "?");
    EXPECT_EQ(server.stats().hand_overs, 0u);
    client.reset();
    server.drain();  // all lines are there then
    EXPECT_EQ(server.log().find("all clients of its loop") != std::string::npos, pinned)
        << server.log();
  }
}

}  // namespace
