// Goal: a server at a unix socket serves as one at a port does, on every driver; its file has the
// owner and mode that were asked for, replaces a dead one, refuses a live one, and goes with its
// server alone. Method: real sockets in a folder of the test's own.
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <chrono>
#include <cstring>
#include <fstream>
#include <memory>
#include <optional>
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
using support::Client;

// Answers who the client is.
tr::Answer tell_peer(const tr::Request& request) {
  const std::optional<tr::PeerCredentials> peer = request.peer().credentials();
  if (!peer) return "nobody at " + request.peer().address();
  return std::to_string(peer->pid) + " " + std::to_string(peer->uid) + " " +
         std::to_string(peer->gid) + " at " + request.peer().address();
}

std::unique_ptr<tr::Server> make_server(const std::string& url, tr::ServerOptions options,
                                        const tr::ListenOptions& listen = {}) {
  options.linger_time_max = std::chrono::milliseconds(50);
  options.log = [](tr::LogLevel, std::string_view) {};
  auto server = std::make_unique<tr::Server>(std::move(options));
  server->listen(url, tr::lines(), tell_peer, listen);
  return server;
}

// The sentence of a server that does not start; empty for one that does.
std::string refusal(const std::string& url, const tr::ListenOptions& listen = {}) {
  const auto server = make_server(url, {.io_workers = 1}, listen);
  const tr::Result<tr::Done> result = server->start();
  return result ? "" : result.error().message;
}

uint32_t mode_of(const std::string& path) {
  struct stat status {};
  return ::lstat(path.c_str(), &status) == 0 ? status.st_mode & 07777u : UINT32_MAX;
}

ino_t inode_of(const std::string& path) {
  struct stat status {};
  return ::lstat(path.c_str(), &status) == 0 ? status.st_ino : 0;
}

bool exists(const std::string& path) { return inode_of(path) != 0; }

std::string credentials_here() {
  const std::string pid = std::to_string(::getpid()), uid = std::to_string(::getuid()),
                    gid = std::to_string(::getgid());
  return pid + " " + uid + " " + gid + " at unix:pid=" + pid + ",uid=" + uid + ",gid=" + gid;
}

// A socket file whose process has ended without removing it, as after SIGKILL.
void leave_dead_socket(const std::string& path) {
  const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_un un{};
  un.sun_family = AF_UNIX;
  std::strncpy(un.sun_path, path.c_str(), sizeof(un.sun_path) - 1);
  ASSERT_EQ(::bind(fd, reinterpret_cast<const sockaddr*>(&un), sizeof(un)), 0);
  ::close(fd);
  ASSERT_TRUE(exists(path));
}

class UnixSockets : public support::ServerTest {
 protected:
  support::TemporaryFolder folder_;
  const std::string path_ = folder_.file("a.sock");
  const std::string url_ = "unix:" + path_;
};

TEST_P(UnixSockets, ServesByPathAndByName) {
  if (GetParam().accepting == tr::Accepting::kLoops) return;  // see NothingThatOnlyTcpHas
  const std::string name = "unix:@" + path_;
  support::TestServer books(options());
  for (const std::string& url : {url_, name}) {
    books.server().listen(url, tr::lines(), tell_peer);
  }
  books.start();
  EXPECT_EQ(books.server().urls(), (std::vector{url_, name}));
  for (const std::string& url : {url_, name}) {
    Client client(url), other(url);
    EXPECT_EQ(client.ask("who"), credentials_here());
    EXPECT_EQ(other.ask("who"), credentials_here());
    ASSERT_TRUE(client.send("a\nb\n"));
    client.shutdown_write();
    EXPECT_EQ(client.receive_all(), credentials_here() + "\n" + credentials_here() + "\n");
    EXPECT_EQ(client.end(), Client::End::kEof);
  }
  EXPECT_TRUE(exists(path_));
  EXPECT_TRUE(books.drain().empty());
  EXPECT_FALSE(exists(path_));
}

TEST_P(UnixSockets, TakesAFloodAndASlowReader) {
  if (GetParam().accepting == tr::Accepting::kLoops) return;
  support::TestServer books(options());
  books.server().listen(url_, tr::bytes(),
                        [](const tr::Request& request) -> tr::Answer { return request.text(); });
  books.start();
  Client client(url_);
  const std::string bytes(support::scaled(4 << 20), 'x');
  EXPECT_EQ(client.converse(bytes, true), bytes);
  EXPECT_EQ(client.end(), Client::End::kEof);
  Client slow(url_);
  EXPECT_GT(slow.send_until_full(std::string(4 << 20, 'y')), 0u);  // and nobody else waits
  EXPECT_EQ(Client(url_).converse("z", true), "z");
}

INSTANTIATE_TEST_SUITE_P(EverySetup, UnixSockets, ::testing::ValuesIn(support::every_setup()),
                         support::name_of);

class UnixFile : public ::testing::Test {
 protected:
  void SetUp() override { ::umask(022); }

  support::TemporaryFolder folder_;
  const std::string path_ = folder_.file("a.sock");
  const std::string url_ = "unix:" + path_;
};

TEST_F(UnixFile, HasTheModeThatWasAskedFor) {
  const struct {
    std::string query;
    std::optional<uint32_t> option;
    uint32_t mode;
  } cases[] = {{"", {}, 0755},   {"?mode=600", {}, 0600},   {"?mode=666", {}, 0666},
               {"", 0620, 0620}, {"?mode=600", 0666, 0600}, {"?mode=0", {}, 0}};
  for (const auto& one : cases) {
    tr::ListenOptions listen;
    listen.socket.mode = one.option;
    const auto server = make_server(url_ + one.query, {.io_workers = 1}, listen);
    const tr::Result<tr::Done> started = server->start();
    ASSERT_TRUE(started.ok()) << started.error().message;
    EXPECT_EQ(mode_of(path_), one.mode) << one.query;
    EXPECT_EQ(server->urls()[0], url_);
    server->drain();
    EXPECT_FALSE(exists(path_));
  }
}

TEST_F(UnixFile, HasTheOwnerThatWasAskedFor) {
  if (::geteuid() != 0) GTEST_SKIP() << "only root gives files away";
  const auto server = make_server(url_ + "?user=nobody&group=12", {.io_workers = 1});
  const tr::Result<tr::Done> started = server->start();
  ASSERT_TRUE(started.ok()) << started.error().message;
  struct stat status {};
  ASSERT_EQ(::lstat(path_.c_str(), &status), 0);
  EXPECT_EQ(status.st_uid, 65534u);
  EXPECT_EQ(status.st_gid, 12u);
}

TEST_F(UnixFile, LeavesNothingBehindWhenItsOwnerIsUnknown) {
  EXPECT_TRUE(contains(refusal(url_ + "?user=no-such-user"), "there is no user 'no-such-user'"));
  EXPECT_TRUE(contains(refusal(url_ + "?group=nosuch"), "there is no group 'nosuch'"));
  EXPECT_FALSE(exists(path_));
}

TEST_F(UnixFile, ReplacesADeadOne) {
  leave_dead_socket(path_);
  const auto server = make_server(url_, {.io_workers = 1});
  ASSERT_TRUE(server->start().ok());
  EXPECT_EQ(Client(url_).ask("who"), credentials_here());
}

TEST_F(UnixFile, OfAKilledServerIsReplacedByTheNext) {
  {
    support::Child killed({"serve", "lines", "--listen", url_});
    ASSERT_EQ(killed.url(), url_);
    killed.signal(SIGKILL);
    killed.wait_exit();
  }
  ASSERT_TRUE(exists(path_));
  support::Child next({"serve", "lines", "--listen", url_});
  ASSERT_EQ(next.url(), url_) << next.errors();
  EXPECT_EQ(Client(url_).ask("PEER"), "unix " + std::to_string(::getpid()) + " " +
                                          std::to_string(::getuid()) + " " +
                                          std::to_string(::getgid()));
  next.signal(SIGTERM);
  EXPECT_EQ(next.wait_exit(), 0);
  EXPECT_FALSE(exists(path_));
}

TEST_F(UnixFile, OfALiveServerIsRefused) {
  const auto server = make_server(url_, {.io_workers = 1});
  ASSERT_TRUE(server->start().ok());
  const ino_t inode = inode_of(path_);
  EXPECT_TRUE(contains(refusal(url_), "a server listens there already"));
  EXPECT_EQ(inode_of(path_), inode);
  EXPECT_EQ(Client(url_).ask("who"), credentials_here());
  const std::string name = "unix:@" + path_;
  const auto named = make_server(name, {.io_workers = 1});
  ASSERT_TRUE(named->start().ok());
  EXPECT_TRUE(contains(refusal(name), "a server has this name already")) << refusal(name);
}

TEST_F(UnixFile, ThatIsNoSocketIsLeftAlone) {
  std::ofstream(path_) << "precious";
  EXPECT_TRUE(contains(refusal(url_), "there is a file that is no socket"));
  std::string word;
  std::ifstream(path_) >> word;
  EXPECT_EQ(word, "precious");
  EXPECT_TRUE(contains(refusal("unix:" + folder_.file("no/a.sock")), "its folder does not exist"));
  EXPECT_TRUE(contains(refusal(url_ + "/b"), "a part of its path is no folder"));
  ASSERT_EQ(::symlink("/nowhere", folder_.file("link").c_str()), 0);
  EXPECT_TRUE(contains(refusal("unix:" + folder_.file("link")), "no socket"));
}

TEST_F(UnixFile, OfAnotherServerIsNotRemoved) {
  const auto first = make_server(url_, {.io_workers = 1});
  ASSERT_TRUE(first->start().ok());
  ASSERT_EQ(::unlink(path_.c_str()), 0);
  const auto second = make_server(url_, {.io_workers = 1});
  ASSERT_TRUE(second->start().ok());
  first->drain();
  EXPECT_EQ(Client(url_).ask("who"), credentials_here());
  second->drain();
  EXPECT_FALSE(exists(path_));
}

TEST_F(UnixFile, GoesWhenAnotherEndpointCannotBeBound) {
  tr::Server server({.io_workers = 1, .log = [](tr::LogLevel, std::string_view) {}});
  server.listen(url_, tr::lines(), tell_peer);
  server.listen("unix:" + folder_.file("no/b.sock"), tr::lines(), tell_peer);
  ASSERT_FALSE(server.start().ok());
  EXPECT_FALSE(exists(path_));
}

TEST_F(UnixFile, TwiceInOneServerIsRefused) {
  tr::Server server({.io_workers = 1, .log = [](tr::LogLevel, std::string_view) {}});
  for (int i = 0; i < 2; ++i) server.listen(url_, tr::lines(), tell_peer);
  const tr::Result<tr::Done> result = server.start();
  ASSERT_FALSE(result.ok());
  EXPECT_TRUE(contains(result.error().message, "a server listens there already"));
  EXPECT_FALSE(exists(path_));
}

// Whoever has connected is served, although the file has gone; no end waits until it has read that.
TEST_F(UnixFile, GoesBeforeWhoWaitsIsServed) {
  const auto server =
      make_server(url_, {.io_workers = 1, .drain_time_max = std::chrono::seconds(20)});
  ASSERT_TRUE(server->start().ok());
  std::vector<Client> clients;
  for (int i = 0; i < 20; ++i) {
    clients.emplace_back(url_);
    ASSERT_TRUE(clients.back().send("who\n"));
  }
  EXPECT_TRUE(server->drain().empty());
  for (Client& client : clients) EXPECT_EQ(client.receive_all(), credentials_here() + "\n");
}

TEST_F(UnixFile, NothingThatOnlyTcpHas) {
  const auto refused = [&](const auto& change) {
    tr::ListenOptions listen;
    change(listen);
    const std::string sentence = refusal(url_, listen);
    EXPECT_TRUE(contains(sentence, "'" + url_ + "' has no use for ")) << sentence;
    return sentence;
  };
  using std::chrono::seconds;
  EXPECT_TRUE(contains(refused([](auto& of) { of.socket.no_delay = false; }), "no_delay"));
  EXPECT_TRUE(contains(refused([](auto& of) { of.socket.keep_alive_time = seconds(9); }),
                       "keep_alive_time"));
  EXPECT_TRUE(contains(refused([](auto& of) { of.socket.unconfirmed_time_max = seconds(9); }),
                       "unconfirmed_time_max"));
  EXPECT_TRUE(contains(refused([](auto& of) { of.socket.defer_accept_time = seconds(9); }),
                       "defer_accept_time"));
  EXPECT_TRUE(
      contains(refused([](auto& of) { of.socket.interface_name = "lo"; }), "interface_name"));
  EXPECT_TRUE(contains(refused([](auto& of) { of.accepting = tr::Accepting::kLoops; }), "tcp://"));
  tr::ListenOptions file;
  file.socket.mode = 0600;
  EXPECT_TRUE(contains(refusal("tcp://127.0.0.1:0", file), "has no use for mode"));
  EXPECT_TRUE(contains(refusal("unix:@" + path_, file), "has no use for mode"));
}

TEST(UnixPeer, OfTcpHasNoCredentials) {
  support::TestServer server({.io_workers = 1});
  server.listen(tell_peer);
  server.start();
  Client client(server.url());
  EXPECT_EQ(client.ask("who"), "nobody at 127.0.0.1:" + std::to_string(client.port()));
}

}  // namespace
