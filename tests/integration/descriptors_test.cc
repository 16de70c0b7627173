// Goal: where standard descriptors are closed at the start, none of ours becomes one: a socket or a
// pipe there would get what others print, and be read as their input.
// Method: every combination of closed ones; then the links of /proc say what each descriptor is.
#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <string>
#include <vector>

#include "support/child.h"
#include "support/client.h"
#include "support/collect_rounds.h"
#include "support/test_server.h"
#include "support/text.h"

namespace {

using support::Child;
using support::wait_until;
namespace tr = trireme;

constexpr const char* kLoopback = "tcp://127.0.0.1:0";

std::string link_of(pid_t pid, int fd) {
  std::error_code error;
  return std::filesystem::read_symlink("/proc/" + std::to_string(pid) + "/fd/" + std::to_string(fd),
                                       error)
      .string();
}

bool has_thread(pid_t pid, const std::string& name) {
  const auto names = support::thread_names(pid);
  return std::find(names.begin(), names.end(), name) != names.end();
}

void expect_filled(const Child& child, const std::vector<int>& closed) {
  for (const int fd : closed) EXPECT_EQ(link_of(child.pid(), fd), "/dev/null") << fd;
}

class ClosedDescriptors : public ::testing::TestWithParam<int> {
 protected:
  ClosedDescriptors() {
    for (const int fd : {0, 1, 2}) {
      if ((GetParam() & 1 << fd) != 0) closed_.push_back(fd);
    }
  }
  bool is_closed(int fd) const { return (GetParam() & 1 << fd) != 0; }

  std::vector<int> closed_;
};

TEST_P(ClosedDescriptors, OfAServer) {
  support::Scratch scratch;
  std::vector<std::vector<std::string>> lines = {
      {"serve", "echo", "--listen", kLoopback},
      {"serve", "echo", "--listen", kLoopback, "--accepting", "loops"},
      {"serve", "collect", "--listen", kLoopback, "--db", scratch.file("db")}};
  if (support::has_uring()) {
    lines.push_back({"serve", "echo", "--listen", kLoopback, "--driver", "io_uring"});
  }
  for (auto& line : lines) {
    line.insert(line.end(), {"--io-workers", "1"});
    Child child(line, {.closed = closed_});
    ASSERT_TRUE(wait_until([&] { return has_thread(child.pid(), "io-0"); })) << child.errors();
    expect_filled(child, closed_);
    if (!is_closed(1)) {
      support::Client client(child.url());
      ASSERT_TRUE(client.send("x"));
    }
    child.signal(SIGTERM);
    EXPECT_EQ(child.wait_exit(), 0) << child.errors();
  }
}

TEST_P(ClosedDescriptors, OfALoad) {
  Child server({"serve", "echo", "--listen", kLoopback});
  Child child({"bench", "echo", server.url(), "--duration", "200ms", "--warm-up", "0"},
              {.closed = closed_});
  ASSERT_TRUE(wait_until([&] { return has_thread(child.pid(), "bench-0"); })) << child.errors();
  expect_filled(child, closed_);
  EXPECT_EQ(child.wait_exit(), is_closed(1) ? 1 : 0) << "results that are lost are no success";
}

TEST_P(ClosedDescriptors, OfTheLibrary) {
  Child runs(
      [&] {
        tr::Server server({.io_workers = 1});
        server.listen(kLoopback, tr::lines(), support::mark);
        return server.run();
      },
      {.closed = closed_});
  Child starts(
      [&] {
        tr::Server server({.io_workers = 1});
        server.listen(kLoopback, tr::lines(), support::mark);
        if (!server.start()) return 1;
        wait_until([] { return false; });  // until it is killed
        return 0;
      },
      {.closed = closed_});
  for (Child* child : {&runs, &starts}) {
    ASSERT_TRUE(wait_until([&] { return has_thread(child->pid(), "io-0"); })) << child->errors();
    expect_filled(*child, closed_);
  }
  runs.signal(SIGTERM);
  EXPECT_EQ(runs.wait_exit(), 0) << runs.errors();
}

INSTANTIATE_TEST_SUITE_P(Combinations, ClosedDescriptors, ::testing::Range(1, 8),
                         [](const auto& test) {
                           std::string name;
                           for (const int fd : {0, 1, 2}) {
                             if ((test.param & 1 << fd) != 0) name += std::to_string(fd);
                           }
                           return "Closed" + name;
                         });

}  // namespace
