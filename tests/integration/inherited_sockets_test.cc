// Goal: a server serves sockets that another process has opened for it: by number, and by the names
// of systemd; what cannot be served is refused by a sentence; the sockets outlive it.
// Method: sockets of this process, and of a child that puts them where systemd does.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/un.h>
#include <unistd.h>

#include <netinet/in.h>

#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include "support/child.h"
#include "support/client.h"
#include "support/temporary_folder.h"
#include "support/test_server.h"
#include "support/text.h"
#include "trireme/trireme.h"

namespace {
using support::contains;

namespace tr = trireme;
using support::Child;
using support::Client;

// What another process would have opened.
class Opened {
 public:
  enum class What { kListening, kBound, kDatagram };
  explicit Opened(What what = What::kListening, const std::string& path = {}) {
    fd_ = ::socket(path.empty() ? AF_INET : AF_UNIX,
                   what == What::kDatagram ? SOCK_DGRAM : SOCK_STREAM, 0);
    if (path.empty()) {
      sockaddr_in in{};
      in.sin_family = AF_INET;
      in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
      socklen_t size = sizeof(in);
      ::bind(fd_, reinterpret_cast<const sockaddr*>(&in), size);
      ::getsockname(fd_, reinterpret_cast<sockaddr*>(&in), &size);
      url_ = "tcp://127.0.0.1:" + std::to_string(ntohs(in.sin_port));
    } else {
      sockaddr_un un{};
      un.sun_family = AF_UNIX;
      std::strncpy(un.sun_path, path.c_str(), sizeof(un.sun_path) - 1);
      ::bind(fd_, reinterpret_cast<const sockaddr*>(&un), sizeof(un));
      url_ = "unix:" + path;
    }
    if (what == What::kListening) ::listen(fd_, 16);
  }
  ~Opened() { ::close(fd_); }
  Opened(const Opened&) = delete;
  Opened& operator=(const Opened&) = delete;

  int fd() const { return fd_; }
  const std::string& url() const { return url_; }
  // For a server, which closes it.
  std::string given_away() const { return "fd:" + std::to_string(::dup(fd_)); }

 private:
  int fd_ = -1;
  std::string url_;
};

std::string refusal(const std::string& url, const tr::ListenOptions& listen = {}) {
  tr::Server server({.io_workers = 1, .log = [](tr::LogLevel, std::string_view) {}});
  server.listen(url, tr::lines(), support::mark, listen);
  const tr::Result<tr::Done> result = server.start();
  return result ? "" : result.error().message;
}

class InheritedSockets : public support::ServerTest {};

TEST_P(InheritedSockets, AreServedAndOutliveTheServer) {
  if (GetParam().accepting == tr::Accepting::kLoops) return;
  const support::TemporaryFolder folder;
  const Opened tcp, file(Opened::What::kListening, folder.file("a.sock"));
  for (int round = 0; round < 2; ++round) {
    support::TestServer server(options());
    server.server().listen(tcp.given_away(), tr::lines(), support::mark);
    server.server().listen(file.given_away(), tr::lines(), support::mark);
    server.start();
    EXPECT_EQ(server.server().urls(), (std::vector{tcp.url(), file.url()}));
    for (const std::string& url : {tcp.url(), file.url()}) {
      Client client(url);
      EXPECT_EQ(client.ask("a"), "<a>");
    }
    server.drain();
    // Nobody accepts now, and nobody is refused: they wait for the next round.
    EXPECT_TRUE(Client(file.url()).connected());
    EXPECT_TRUE(Client(tcp.url()).connected());
  }
}

INSTANTIATE_TEST_SUITE_P(EverySetup, InheritedSockets, ::testing::ValuesIn(support::every_setup()),
                         support::name_of);

// A server of a process that has forked shuts its own sockets down; these are not its own alone.
TEST(InheritedSocket, OutlivesAServerThatHasForked) {
  const Opened tcp;
  tr::Server server({.io_workers = 1, .log = [](tr::LogLevel, std::string_view) {}});
  server.listen(tcp.given_away(), tr::lines(), support::mark);
  ASSERT_TRUE(server.start().ok());
  Child child([] { return 0; });
  EXPECT_EQ(child.wait_exit(), 0);
  server.drain();
  EXPECT_TRUE(Client(tcp.url()).connected());
}

TEST(InheritedSocket, IsLookedAtFirst) {
  const Opened bound(Opened::What::kBound), datagram(Opened::What::kDatagram);
  EXPECT_TRUE(contains(refusal(bound.given_away()), "does not listen"));
  EXPECT_TRUE(contains(refusal(datagram.given_away()), "is no stream socket"));
  int ends[2];
  ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
  EXPECT_TRUE(contains(refusal("fd:" + std::to_string(ends[0])), "is no socket"));
  ::close(ends[0]);
  ::close(ends[1]);
  EXPECT_TRUE(contains(refusal("fd:1000000"), "is not open"));
  EXPECT_TRUE(contains(refusal("systemd:"), "no sockets were passed"));
}

TEST(InheritedSocket, HasTheOptionsOfWhoBoundIt) {
  const support::TemporaryFolder folder;
  const Opened tcp, file(Opened::What::kListening, folder.file("a.sock"));
  tr::ListenOptions options;
  options.backlog = 7;
  EXPECT_TRUE(contains(refusal(tcp.given_away(), options), "has no use for backlog"));
  options = {.socket = {.interface_name = "lo"}};
  EXPECT_TRUE(contains(refusal(tcp.given_away(), options), "has no use for interface_name"));
  options = {.socket = {.mode = 0600}};
  EXPECT_TRUE(contains(refusal(file.given_away(), options), "has no use for mode"));
  options = {.socket = {.keep_alive_time = std::chrono::seconds(9)}};
  EXPECT_TRUE(
      contains(refusal(file.given_away(), options), "is a unix socket, and keep_alive_time"));
  EXPECT_EQ(refusal(tcp.given_away(), options), "");
  options = {.accepting = tr::Accepting::kLoops};
  EXPECT_TRUE(contains(refusal(tcp.given_away(), options), "tcp:// alone"));
}

TEST(InheritedSocket, IsServedOnce) {
  const Opened tcp;
  const std::string url = tcp.given_away();
  const auto refused = [](const std::string& first, const std::string& second) {
    tr::Server server({.io_workers = 1, .log = [](tr::LogLevel, std::string_view) {}});
    server.listen(first, tr::lines(), support::mark);
    server.listen(second, tr::lines(), support::mark);
    const tr::Result<tr::Done> result = server.start();
    return result ? "" : result.error().message;
  };
  EXPECT_TRUE(contains(refused(url, url), "is served already"));
  EXPECT_TRUE(contains(refused("systemd:", "systemd:a"), "is served already"));
  EXPECT_TRUE(contains(refused("systemd:a", "systemd:a"), "is served already"));
  EXPECT_TRUE(contains(refused("systemd:a", "systemd:b"), "no sockets were passed"));
}

// The program, with `sockets` from descriptor 3 on, and the environment of systemd.
struct Passed {
  std::vector<int> sockets;
  const char* names = nullptr;
  const char* process = nullptr;  // LISTEN_PID; null: its own
  const char* count = nullptr;    // LISTEN_FDS; null: the right one
};

int become_service(const Passed& passed, const std::vector<std::string>& urls) {
  // Away from where they go first.
  std::vector<int> kept;
  for (const int fd : passed.sockets) kept.push_back(::fcntl(fd, F_DUPFD, 100));
  for (size_t i = 0; i < kept.size(); ++i) ::dup2(kept[i], static_cast<int>(3 + i));
  for (const int fd : kept) ::close(fd);
  const std::string count = std::to_string(passed.sockets.size()), pid = std::to_string(::getpid());
  ::setenv("LISTEN_FDS", passed.count != nullptr ? passed.count : count.c_str(), 1);
  ::setenv("LISTEN_PID", passed.process != nullptr ? passed.process : pid.c_str(), 1);
  if (passed.names != nullptr) ::setenv("LISTEN_FDNAMES", passed.names, 1);
  const std::string program = Child::program();
  std::vector<std::string> words = {program, "serve", "lines"};
  for (const std::string& url : urls) words.insert(words.end(), {"--listen", url});
  std::vector<char*> arguments;
  for (std::string& word : words) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  ::execv(program.c_str(), arguments.data());
  return 127;
}

std::string refusal_of_service(const Passed& passed, const std::string& url, int status = 1) {
  Child child([&] { return become_service(passed, {url}); });
  EXPECT_EQ(child.wait_exit(), status) << child.errors();
  return child.errors();
}

TEST(SystemdSockets, AreServedByTheirNames) {
  const support::TemporaryFolder folder;
  const Opened web, admin(Opened::What::kListening, folder.file("admin.sock")), web2, unused;
  const Passed passed{.sockets = {web.fd(), admin.fd(), web2.fd(), unused.fd()},
                      .names = "web:admin:web:unused"};
  Child child([&] { return become_service(passed, {"systemd:web", "systemd:admin"}); });
  EXPECT_EQ(child.url(0), web.url()) << child.errors();
  EXPECT_EQ(child.url(1), web2.url());
  EXPECT_EQ(child.url(2), admin.url());
  for (const Opened* one : {&web, &web2, &admin}) EXPECT_EQ(Client(one->url()).ask("a"), "a");
  // Neither they nor the one that nobody serves go on to a program that this one might start.
  for (int fd = 3; fd <= 6; ++fd) {
    const std::string info =
        "/proc/" + std::to_string(child.pid()) + "/fdinfo/" + std::to_string(fd);
    unsigned flags = 0;
    FILE* const file = std::fopen(info.c_str(), "r");
    ASSERT_NE(file, nullptr);
    EXPECT_EQ(std::fscanf(file, "pos: %*d flags: %o", &flags), 1);
    std::fclose(file);
    EXPECT_TRUE(flags & O_CLOEXEC) << fd;
  }
  child.signal(SIGTERM);
  EXPECT_EQ(child.wait_exit(), 0) << child.errors();
  EXPECT_EQ(::access(folder.file("admin.sock").c_str(), F_OK), 0) << "the file is systemd's";
}

TEST(SystemdSockets, AllOfThem) {
  const Opened first, second;
  const Passed passed{.sockets = {first.fd(), second.fd()}};
  Child child([&] { return become_service(passed, {"systemd:"}); });
  EXPECT_EQ(child.url(0), first.url()) << child.errors();
  EXPECT_EQ(child.url(1), second.url());
  for (const Opened* one : {&first, &second}) EXPECT_EQ(Client(one->url()).ask("a"), "a");
}

TEST(SystemdSockets, WhatIsWrongIsSaid) {
  const Opened first, second, third;
  const std::vector<int> fds = {first.fd(), second.fd(), third.fd()};
  const std::string unknown =
      refusal_of_service({.sockets = fds, .names = "web:admin:web"}, "systemd:mail", 2);
  EXPECT_TRUE(
      contains(unknown, "no socket of the name 'mail' was passed; there are 'web', 'admin'"))
      << unknown;
  EXPECT_TRUE(
      contains(refusal_of_service({.sockets = fds}, "systemd:a", 2), "there are 'unknown'"));
  EXPECT_TRUE(contains(refusal_of_service({.sockets = fds, .process = "1"}, "systemd:"),
                       "were passed to process 1"));
  EXPECT_TRUE(contains(refusal_of_service({.sockets = fds, .count = "many"}, "systemd:"),
                       "LISTEN_FDS must be a number"));
  EXPECT_TRUE(contains(refusal_of_service({.sockets = {}, .count = "0"}, "systemd:"),
                       "LISTEN_FDS must be a number"));
  const Opened datagram(Opened::What::kDatagram);
  EXPECT_TRUE(contains(refusal_of_service({.sockets = {datagram.fd()}}, "systemd:"),
                       "descriptor 3 is no stream socket"));
}

}  // namespace
