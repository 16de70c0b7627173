// Goal: the programs that people have talk to a server at a unix socket, and systemd's own starts
// one. Method: each program as a child; one that is not installed is skipped.
#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <cstdlib>
#include <optional>
#include <string>

#include "support/child.h"
#include "support/client.h"
#include "support/temporary_folder.h"
#include "support/test_server.h"
#include "trireme/trireme.h"

namespace {

namespace tr = trireme;
using support::Child;
using support::Client;

bool is_installed(const std::string& program) {
  return std::system(("command -v " + program + " >/dev/null 2>&1").c_str()) == 0;
}

#define NEEDS(program) \
  if (!is_installed(program)) GTEST_SKIP() << program << " is not installed"

// What a shell prints for this command.
std::string said_by(const std::string& command) {
  Child shell([&] { return ::execl("/bin/sh", "sh", "-c", command.c_str(), nullptr); });
  EXPECT_EQ(shell.wait_exit(), 0) << shell.errors();
  return shell.out();
}

class RealClients : public ::testing::Test {
 protected:
  void SetUp() override {
    server_.server().listen("unix:" + path_, tr::lines(), support::mark);
    server_.start();
  }

  const support::TemporaryFolder folder_;
  const std::string path_ = folder_.file("a.sock");
  support::TestServer server_{{.io_workers = 1}};
};

TEST_F(RealClients, Netcat) {
  NEEDS("nc");
  EXPECT_EQ(said_by("printf 'a\\nb\\n' | nc -N -U " + path_), "<a>\n<b>\n");
}

TEST_F(RealClients, Socat) {
  NEEDS("socat");
  EXPECT_EQ(said_by("printf 'a\\nb\\n' | socat -t 20 - UNIX-CONNECT:" + path_), "<a>\n<b>\n");
  server_.drain();
}

TEST(RealClient, SocatAtAnAbstractName) {
  NEEDS("socat");
  const support::TemporaryFolder folder;
  const std::string name = folder.file("name");
  support::TestServer server({.io_workers = 1});
  server.server().listen("unix:@" + name, tr::lines(), support::mark);
  server.start();
  EXPECT_EQ(said_by("printf 'a\\n' | socat -t 20 - ABSTRACT-CONNECT:" + name), "<a>\n");
}

// The head of a request ends with an empty line.
TEST(RealClient, Curl) {
  NEEDS("curl");
  const support::TemporaryFolder folder;
  support::TestServer server({.io_workers = 1});
  server.server().listen("unix:" + folder.file("a.sock"), tr::lines(),
                         [](const tr::Request& request) -> tr::Answer {
                           if (!request.text().empty()) return tr::no_answer();
                           const char* const head =
                               "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 6\r\n\r\n";
                           return tr::Answer(std::string(head) + "hello").close_after();
                         });
  server.start();
  EXPECT_EQ(said_by("curl -s --max-time 20 --unix-socket " + folder.file("a.sock") +
                    " http://localhost/"),
            "hello\n");
}

TEST(RealClient, SystemdSocketActivate) {
  NEEDS("systemd-socket-activate");
  const support::TemporaryFolder folder;
  const std::string path = folder.file("a.sock");
  Child child([&] {
    return ::execlp("systemd-socket-activate", "systemd-socket-activate", "-l", path.c_str(),
                    "--fdname=lines", Child::program().c_str(), "serve", "lines", "--listen",
                    "systemd:lines", nullptr);
  });
  // The first that gets through starts it: the file is there before anybody listens.
  std::optional<Client> client;
  ASSERT_TRUE(support::wait_until([&] {
    client.emplace("unix:" + path);
    return client->connected();
  }));
  EXPECT_EQ(client->ask("a"), "a") << child.errors();
  EXPECT_EQ(child.url(), "unix:" + path);
  child.signal(SIGTERM);
  EXPECT_EQ(child.wait_exit(), 0) << child.errors();
}

}  // namespace
