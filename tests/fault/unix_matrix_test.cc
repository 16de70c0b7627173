// Goal: whatever fails around a unix socket or an inherited one, start() says why and leaves
// nothing behind, no file included, or the server serves; a live socket is never taken away.
// Method: the cells of tests/fault/expectations.h for the calls that only such sockets make.
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>
#include <memory>
#include <mutex>
#include <string>

#include "fault/expectations.h"
#include "runtime/threads/threads.h"
#include "support/client.h"
#include "support/temporary_folder.h"
#include "support/test_server.h"

namespace fault { namespace {

namespace tr = trireme;
using support::Client;

constexpr uint64_t kFirst[] = {1};

class UnixMatrix : public ::testing::TestWithParam<Site> {
 protected:
  std::unique_ptr<tr::Server> make_server(const std::string& url) {
    auto server = std::make_unique<tr::Server>(
        tr::ServerOptions{.io_workers = 1,
                          .log =
                              [this](tr::LogLevel, std::string_view line) {
                                const std::lock_guard lock(mutex_);
                                log_.append(line).append("\n");
                              }},
        platform_);
    server->listen(url, tr::lines(), [](const tr::Request& request) -> tr::Answer {
      return request.peer().credentials() ? "known" : "unknown";
    });
    return server;
  }
  bool exists() const {
    struct stat status {};
    return ::lstat(path_.c_str(), &status) == 0;
  }
  std::string log() {
    const std::lock_guard lock(mutex_);
    return log_;
  }
  uint64_t open_count() const {
    return kernel_.descriptors_opened() - kernel_.descriptors_closed();
  }
  void plan(const Cell& cell) {
    kernel_.plan(
        {.site = cell.site, .error = cell.error, .first = cell.first, .times = cell.times});
  }
  void expect_normal() {
    kernel_.heal();
    auto server = make_server(url_);
    const tr::Result<tr::Done> started = server->start();
    ASSERT_TRUE(started.ok()) << started.error().message;
    EXPECT_EQ(Client(url_).ask("who"), "known");
    server->drain();
    EXPECT_FALSE(exists());
  }
  void leave_dead_socket() {
    tr::Kernel& real = tr::real_platform().kernel;
    const int fd = real.socket(AF_UNIX, SOCK_STREAM);
    sockaddr_un un{};
    un.sun_family = AF_UNIX;
    std::strncpy(un.sun_path, path_.c_str(), sizeof(un.sun_path) - 1);
    tr::SocketAddress address;
    std::memcpy(&address.storage, &un, sizeof(un));
    address.size = sizeof(un);
    ASSERT_EQ(real.bind(fd, address), 0);
    real.close(fd);
  }

  const support::TemporaryFolder folder_;
  const std::string path_ = folder_.file("a.sock");
  const std::string url_ = "unix:" + path_;
  tr::FaultyKernel kernel_{tr::real_platform().kernel};
  const tr::Platform platform_{kernel_, tr::real_platform().clock, tr::real_platform().threads};
  std::mutex mutex_;
  std::string log_;
};

// Not with a mode and an owner of its own alone: 0777 is what no umask allows.
TEST_P(UnixMatrix, StartSaysWhyAndLeavesNothing) {
  const std::string asked = url_ + "?mode=777&user=" + std::to_string(::getuid());
  ::umask(022);
  for (const Cell& cell : cells_of(GetParam(), kFirst)) {
    SCOPED_TRACE(describe(cell));
    // The path is looked at, found free, and bound again.
    const bool is_overcome =
        cell.site == Site::kBind && cell.error == EADDRINUSE && cell.times != kForEver;
    ASSERT_EQ(expectation_at_start(cell.site, cell.error).expect, Expect::kStartFails);
    const uint64_t injected = kernel_.injected(cell.site);
    plan(cell);
    auto server = make_server(asked);
    const tr::Result<tr::Done> started = server->start();
    EXPECT_GT(kernel_.injected(cell.site), injected);
    EXPECT_EQ(started.ok(), is_overcome);
    if (!started) {
      EXPECT_NE(started.error().message.find("cannot listen at '" + asked), std::string::npos)
          << started.error().message;
      EXPECT_EQ(started.error().code, tr::Error::Code::kSystem);
    }
    server.reset();
    EXPECT_EQ(open_count(), 0u);
    EXPECT_FALSE(exists());
    expect_normal();
  }
}

INSTANTIATE_TEST_SUITE_P(Sites, UnixMatrix,
                         ::testing::Values(Site::kSocket, Site::kBind, Site::kListen,
                                           Site::kSetMode, Site::kFileStatus, Site::kSetFileMode,
                                           Site::kSetFileOwner),
                         [](const auto& site) {
                           return std::string(tr::FaultyKernel::name_of(site.param));
                         });

// In the way: the file of a server that has died.
class DeadSocket : public UnixMatrix {};

TEST_P(DeadSocket, IsReplacedOrTold) {
  for (const Cell& cell : cells_of(GetParam(), kFirst)) {
    SCOPED_TRACE(describe(cell));
    leave_dead_socket();
    plan(cell);
    auto server = make_server(url_);
    const tr::Result<tr::Done> started = server->start();
    EXPECT_GT(kernel_.injected(cell.site), 0u);
    // What connect says then is true; and a file that goes by itself is no obstacle.
    const bool is_true = cell.site == Site::kConnect && cell.error == ECONNREFUSED;
    const bool may_start = is_true || cell.error == ENOENT;
    EXPECT_TRUE(started.ok() ? may_start : !is_true) << (started ? "" : started.error().message);
    if (!started) {
      EXPECT_NE(started.error().message.find("cannot listen at '" + url_), std::string::npos);
    }
    server.reset();
    EXPECT_EQ(open_count(), 0u);
    ::unlink(path_.c_str());
    expect_normal();
  }
}

INSTANTIATE_TEST_SUITE_P(Sites, DeadSocket,
                         ::testing::Values(Site::kFileStatus, Site::kRemoveFile, Site::kConnect),
                         [](const auto& site) {
                           return std::string(tr::FaultyKernel::name_of(site.param));
                         });

// In the way: a server that lives. Whatever fails, it keeps its file.
TEST_P(DeadSocket, OfALiveServerIsNotTaken) {
  const auto live = make_server(url_);
  ASSERT_TRUE(live->start().ok());
  for (const Cell& cell : cells_of(GetParam(), kFirst)) {
    if (cell.site == Site::kConnect && cell.error == ECONNREFUSED) continue;  // says it is dead
    SCOPED_TRACE(describe(cell));
    plan(cell);
    EXPECT_FALSE(make_server(url_)->start().ok());
    kernel_.heal();
    EXPECT_EQ(Client(url_).ask("who"), "known");
  }
}

// The end: a file that cannot be looked at or removed is told of, and nothing waits for it.
TEST_P(DeadSocket, AtTheEndOfADrain) {
  if (GetParam() == Site::kConnect) return;
  for (const Cell& cell : cells_of(GetParam(), kFirst)) {
    SCOPED_TRACE(describe(cell));
    auto server = make_server(url_);
    ASSERT_TRUE(server->start().ok());
    plan(cell);
    EXPECT_TRUE(server->drain().empty());
    server.reset();
    EXPECT_EQ(open_count(), 0u);
    kernel_.heal();
    const bool is_told = !(cell.site == Site::kFileStatus && cell.error == ENOENT);
    EXPECT_EQ(log().find("cannot remove '" + path_ + "'") != std::string::npos, is_told);
    log_.clear();
    expect_normal();
  }
}

class InheritedMatrix : public UnixMatrix {};

TEST_P(InheritedMatrix, StartSaysWhyAndLeavesTheSocketOpen) {
  tr::Kernel& real = tr::real_platform().kernel;
  const int fd = real.socket(AF_INET, SOCK_STREAM);
  ASSERT_EQ(real.listen(fd, 4), 0);
  for (const Cell& cell : cells_of(GetParam(), kFirst)) {
    SCOPED_TRACE(describe(cell));
    plan(cell);
    auto server = make_server("fd:" + std::to_string(fd));
    const tr::Result<tr::Done> started = server->start();
    ASSERT_FALSE(started.ok());
    EXPECT_NE(started.error().message.find("descriptor"), std::string::npos);
    EXPECT_EQ(open_count(), 0u);
    int listens = 0;
    EXPECT_EQ(real.get_option(fd, SOL_SOCKET, SO_ACCEPTCONN, listens), 0);
    EXPECT_EQ(listens, 1);
    kernel_.heal();
  }
  auto server = make_server("fd:" + std::to_string(fd));
  ASSERT_TRUE(server->start().ok());
  server.reset();
  EXPECT_EQ(open_count(), 0u);
}

INSTANTIATE_TEST_SUITE_P(Sites, InheritedMatrix,
                         ::testing::Values(Site::kGetOption, Site::kInherit, Site::kLocalAddress),
                         [](const auto& site) {
                           return std::string(tr::FaultyKernel::name_of(site.param));
                         });

class PeerCredentials : public UnixMatrix {};

TEST_P(PeerCredentials, ThatAreNotToldCostNoClient) {
  auto server = make_server(url_);
  ASSERT_TRUE(server->start().ok());
  for (const Cell& cell : cells_of(GetParam(), kFirst)) {
    SCOPED_TRACE(describe(cell));
    ASSERT_EQ(expectation_in_traffic(cell.site, cell.error).expect, Expect::kInvisible);
    plan(cell);
    EXPECT_EQ(Client(url_).ask("who"), "unknown");
    kernel_.heal();
    EXPECT_EQ(Client(url_).ask("who"), "known");
  }
}

INSTANTIATE_TEST_SUITE_P(Sites, PeerCredentials, ::testing::Values(Site::kPeerCredentials),
                         [](const auto& site) {
                           return std::string(tr::FaultyKernel::name_of(site.param));
                         });

}  // namespace
}  // namespace fault
