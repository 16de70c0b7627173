// Goal: `lines` echoes, and tells its client how the server knows it. Method: a server on real
// sockets, of TCP and unix.
#include "services/lines.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <string>

#include "support/client.h"
#include "support/temporary_folder.h"

namespace services { namespace {

using support::Client;

TEST(Lines, EchoesAndTellsThePeer) {
  const support::TemporaryFolder folder;
  tr::Server server({.io_workers = 1, .log = [](tr::LogLevel, std::string_view) {}});
  for (const std::string& url : {std::string("tcp://127.0.0.1:0"), std::string("tcp://[::1]:0"),
                                 "unix:" + folder.file("a.sock")}) {
    add_lines(server, url, {});
  }
  ASSERT_TRUE(server.start().ok());
  Client ipv4(server.urls()[0]), ipv6(server.urls()[1]), file(server.urls()[2]);
  EXPECT_EQ(ipv4.ask("PEER"), "127.0.0.1 " + std::to_string(ipv4.port()));
  EXPECT_EQ(ipv6.ask("PEER"), "::1 " + std::to_string(ipv6.port()));
  EXPECT_EQ(file.ask("PEER"), "unix " + std::to_string(::getpid()) + " " +
                                  std::to_string(::getuid()) + " " + std::to_string(::getgid()));
  for (Client* client : {&ipv4, &ipv6, &file}) {
    EXPECT_EQ(client->ask("LAYERS"), "");
    EXPECT_EQ(client->ask("a line"), "a line");
    EXPECT_EQ(client->ask("peer"), "peer");
    EXPECT_EQ(client->ask(""), "");
  }
}

// Whoever the mode of the file lets in is believed, and refused without a header.
TEST(Lines, BehindAProxyAtAUnixSocketTheToldAddressCounts) {
  const support::TemporaryFolder folder;
  tr::Server server({.io_workers = 1, .log = [](tr::LogLevel, std::string_view) {}});
  add_lines(server, "unix+proxy:" + folder.file("a.sock"), {});
  ASSERT_TRUE(server.start().ok());
  EXPECT_EQ(server.urls()[0], "unix+proxy:" + folder.file("a.sock"));
  Client told("unix:" + folder.file("a.sock")), untold("unix:" + folder.file("a.sock"));
  ASSERT_TRUE(told.send("PROXY TCP4 192.0.2.33 198.51.100.1 56324 443\r\n"));
  EXPECT_EQ(told.ask("PEER"), "192.0.2.33 56324");
  EXPECT_NE(told.ask("LAYERS"), "");
  ASSERT_TRUE(untold.send("PEER\n"));
  EXPECT_EQ(untold.receive_all(), "");
}

TEST(Lines, OfNobodyIsUnknown) { EXPECT_EQ(describe_peer(tr::Peer()), "unknown"); }

}  // namespace
}  // namespace services
