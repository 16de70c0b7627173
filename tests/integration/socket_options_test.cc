// Goal: each option of SocketOptions reaches the sockets of clients, by default as docs/sockets.md
// says, and costs no system call there. Method: the server's end of a connection is found among the
// descriptors of this process, and asked.
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <chrono>
#include <string>
#include <utility>

#include "runtime/threads/threads.h"
#include "support/client.h"
#include "support/faulty_kernel.h"
#include "support/test_server.h"
#include "trireme/trireme.h"

namespace {

namespace tr = trireme;
using support::Client;
using namespace std::chrono_literals;

constexpr int kDescriptorsMax = 1024;

// The descriptor of this process whose peer has our client's port.
int find_other_end(const Client& client) {
  for (int fd = 0; fd < kDescriptorsMax; ++fd) {
    sockaddr_in peer{};
    socklen_t size = sizeof(peer);
    const bool is_there = ::getpeername(fd, reinterpret_cast<sockaddr*>(&peer), &size) == 0;
    if (is_there && peer.sin_family == AF_INET && ntohs(peer.sin_port) == client.port()) return fd;
  }
  return -1;
}

int option_of(int fd, int level, int name) {
  int value = -1;
  socklen_t size = sizeof(value);
  ::getsockopt(fd, level, name, &value, &size);
  return value;
}

TEST(SocketOptions, DefaultsAreThoseOfThePage) {
  support::TestServer server({.io_workers = 1});
  server.listen(support::mark);
  server.start();
  Client client(server.url());
  ASSERT_EQ(client.ask("a"), "<a>");
  const int fd = find_other_end(client);
  EXPECT_EQ(option_of(fd, IPPROTO_TCP, TCP_NODELAY), 1);
  EXPECT_EQ(option_of(fd, SOL_SOCKET, SO_KEEPALIVE), 0);
  EXPECT_EQ(option_of(fd, IPPROTO_TCP, TCP_USER_TIMEOUT), 0);
}

TEST(SocketOptions, ReachClients) {
  support::TestServer server({.io_workers = 1});
  tr::ListenOptions listen;
  listen.socket = {.no_delay = false,
                   .keep_alive_time = 61s,
                   .keep_alive_interval = 7s,
                   .keep_alive_probes_max = 3,
                   .unconfirmed_time_max = 12'345ms,
                   .defer_accept_time = 3s};
  server.listen(support::mark, listen);
  server.start();
  Client client(server.url());
  ASSERT_EQ(client.ask("a"), "<a>");
  const int fd = find_other_end(client);
  EXPECT_EQ(option_of(fd, IPPROTO_TCP, TCP_NODELAY), 0);
  EXPECT_EQ(option_of(fd, SOL_SOCKET, SO_KEEPALIVE), 1);
  EXPECT_EQ(option_of(fd, IPPROTO_TCP, TCP_KEEPIDLE), 61);
  EXPECT_EQ(option_of(fd, IPPROTO_TCP, TCP_KEEPINTVL), 7);
  EXPECT_EQ(option_of(fd, IPPROTO_TCP, TCP_KEEPCNT), 3);
  EXPECT_EQ(option_of(fd, IPPROTO_TCP, TCP_USER_TIMEOUT), 12'345);
}

// TCP_DEFER_ACCEPT: nobody is accepted who has said nothing.
TEST(SocketOptions, ADeferredClientIsAcceptedWhenItSpeaks) {
  support::TestServer server({.io_workers = 1});
  tr::ListenOptions listen;
  listen.socket.defer_accept_time = 30s;
  server.listen(support::mark, listen);
  server.start();
  Client silent(server.url()), other(server.url());
  ASSERT_EQ(other.ask("a"), "<a>");
  EXPECT_EQ(server.stats().accepted, 1u);
  EXPECT_EQ(silent.ask("b"), "<b>");
  EXPECT_EQ(server.stats().accepted, 2u);
}

std::string refusal(const tr::SocketOptions& options) {
  tr::Server server({.io_workers = 1, .log = [](tr::LogLevel, std::string_view) {}});
  server.listen("tcp://127.0.0.1:0", tr::lines(), support::mark, {.socket = options});
  const tr::Result<tr::Done> result = server.start();
  return result ? "" : result.error().message;
}

TEST(SocketOptions, BindToAnInterface) {
  EXPECT_EQ(refusal({.interface_name = "lo"}), "");
  EXPECT_NE(refusal({.interface_name = "nosuch0"})
                .find("interface_name cannot be set: this machine has no"),
            std::string::npos);
}

TEST(SocketOptions, HaveBounds) {
  EXPECT_EQ(refusal({.keep_alive_time = 32'768s}), "keep_alive_time must be 0 to 32767 s");
  EXPECT_EQ(refusal({.keep_alive_time = -1s}), "keep_alive_time must be 0 to 32767 s");
  EXPECT_EQ(refusal({.keep_alive_time = 1s, .keep_alive_interval = 32'768s}),
            "keep_alive_interval must be 0 to 32767 s");
  EXPECT_EQ(refusal({.keep_alive_time = 1s, .keep_alive_probes_max = 128}),
            "keep_alive_probes_max must be 0 to 127");
  EXPECT_EQ(refusal({.keep_alive_probes_max = 3}),
            "keep_alive_interval and keep_alive_probes_max need a keep_alive_time");
  EXPECT_EQ(refusal({.unconfirmed_time_max = 2'147'483'648ms}),
            "unconfirmed_time_max must be 0 to 2147483647 ms");
  EXPECT_EQ(refusal({.defer_accept_time = 32'768s}), "defer_accept_time must be 0 to 32767 s");
  EXPECT_EQ(refusal({.interface_name = "sixteen-bytes-xx"}),
            "interface_name must be 0 to 15 bytes");
  EXPECT_EQ(refusal({.mode = 01000}), "mode must be 0 to 0777");
  EXPECT_EQ(refusal({.keep_alive_time = 32'767s,
                     .keep_alive_interval = 32'767s,
                     .keep_alive_probes_max = 127,
                     .unconfirmed_time_max = 2'147'483'647ms,
                     .defer_accept_time = 32'767s}),
            "");
}

TEST(SocketOptions, CostAClientNoSystemCall) {
  tr::FaultyKernel kernel(tr::real_platform().kernel);
  const tr::Platform platform{kernel, tr::real_platform().clock, tr::real_platform().threads};
  tr::Server server({.io_workers = 1, .log = [](tr::LogLevel, std::string_view) {}}, platform);
  server.listen("tcp://127.0.0.1:0", tr::lines(), support::mark,
                {.socket = {.keep_alive_time = 61s, .unconfirmed_time_max = 9s}});
  ASSERT_TRUE(server.start().ok());
  using Site = tr::FaultyKernel::Site;
  const auto calls = [&] {
    return kernel.calls(Site::kSetOption) + kernel.calls(Site::kGetOption) +
           kernel.calls(Site::kPeerCredentials) + kernel.calls(Site::kInherit);
  };
  const uint64_t before = calls();
  for (int i = 0; i < 5; ++i) EXPECT_EQ(Client(server.urls()[0]).ask("a"), "<a>");
  EXPECT_EQ(calls(), before);
}

}  // namespace
