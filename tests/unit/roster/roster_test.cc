// Goal: an address is published and described as it came, and clients are counted by the address
// that a user means. Method: the classes of src/roster by hand, addresses written in the test.
#include "roster/roster.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>

#include <optional>
#include <string>
#include <vector>

#include "roster/address_counts.h"
#include "runtime/system/unix_peer.h"
#include "trireme/options.h"

namespace trireme { inline namespace v0 { namespace {

SocketAddress socket_address4(uint32_t host, uint16_t port) {
  SocketAddress address;
  auto& in = reinterpret_cast<sockaddr_in&>(address.storage);
  in.sin_family = AF_INET;
  in.sin_addr.s_addr = htonl(host);
  in.sin_port = htons(port);
  return address;
}

SocketAddress socket_address6(const char* text, uint16_t port) {
  SocketAddress address;
  auto& in6 = reinterpret_cast<sockaddr_in6&>(address.storage);
  in6.sin6_family = AF_INET6;
  in6.sin6_port = htons(port);
  EXPECT_EQ(inet_pton(AF_INET6, text, &in6.sin6_addr), 1) << text;
  return address;
}

ClientAddress address4(uint32_t host, uint16_t port) {
  return ClientAddress::of(socket_address4(host, port));
}

ClientAddress address6(const char* text, uint16_t port) {
  return ClientAddress::of(socket_address6(text, port));
}

// One loop with four slots.
class RosterTest : public ::testing::Test {
 protected:
  ClientAddress published(const SocketAddress& address) {
    roster_.make_record(0, 2, address);
    roster_.record(0, 2).generation = 0;  // of a client before
    roster_.publish_address(id_, address);
    EXPECT_FALSE(roster_.connected(id_));
    roster_.record(0, 2).generation = id_.generation();
    EXPECT_TRUE(roster_.connected(id_));
    return roster_.address(id_);
  }

  Roster roster_{real_platform(), 1, 4};
  const ConnectionId id_ = ConnectionId::make(roster_.home(0), 2, 7);
};

TEST_F(RosterTest, DescribesAnIpv6Client) {
  published(socket_address6("::1", 0x1234));
  EXPECT_EQ(roster_.describe(id_), "[::1]:4660");
}

TEST_F(RosterTest, DescribesAnIpv4ClientThoughAnIpv6ClientHadItsSlot) {
  roster_.make_record(0, 2, socket_address6("::1", 1));
  roster_.publish_address(id_, socket_address6("::1", 1));
  published(socket_address4(0x7f000001, 2));
  EXPECT_EQ(roster_.describe(id_), "127.0.0.1:2");
}

TEST_F(RosterTest, KnowsTheClientOfAUnixSocket) {
  const ClientAddress known =
      published(unix_peer(Credentials{.pid = 77, .uid = 1000, .gid = UINT32_MAX}));
  EXPECT_EQ(roster_.describe(id_), "unix:pid=77,uid=1000,gid=4294967295");
  const std::optional<Credentials> told = known.credentials();
  ASSERT_TRUE(told);
  EXPECT_EQ(told->pid, 77);
  EXPECT_EQ(told->uid, 1000u);
  EXPECT_EQ(told->gid, UINT32_MAX);
  EXPECT_FALSE(published(unix_peer({})).credentials()) << "the kernel has not told";
  EXPECT_EQ(roster_.describe(id_), "");
  EXPECT_FALSE(published(socket_address4(0x7f000001, 2)).credentials());
}

TEST(AddressCounts, DoNotCountClientsOfUnixSockets) {
  AddressCounts counts(ServerOptions{}.address_prefix_bits);
  const auto client = ClientAddress::of(unix_peer(Credentials{.pid = 1, .uid = 2, .gid = 3}));
  for (int i = 0; i < 5; ++i) EXPECT_TRUE(counts.enter(client, 1));
  counts.leave(client);
}

TEST_F(RosterTest, KnowsNoAddressOfOtherFamiliesAndOfIdsThatWereNeverGivenOut) {
  EXPECT_EQ(roster_.describe(id_), "") << "its slot was never made";
  published(SocketAddress{});
  EXPECT_EQ(roster_.describe(id_), "");
  EXPECT_EQ(roster_.describe(ConnectionId::make(roster_.home(0), 4, 7)), "");
  EXPECT_EQ(roster_.describe(ConnectionId::make(roster_.home(0) ^ 1023, 2, 7)), "");
}

TEST_F(RosterTest, WhatWasPublishedIsWhatLeavesTheCounts) {
  AddressCounts counts(ServerOptions{}.address_prefix_bits);
  for (const SocketAddress& address :
       {socket_address6("2001:db8:0:1::2", 6), socket_address4(0x7f000001, 2)}) {
    ASSERT_TRUE(counts.enter(ClientAddress::of(address), 1));
    counts.leave(published(address));
    EXPECT_TRUE(counts.enter(ClientAddress::of(address), 1));
  }
}

TEST(AddressCounts, CountsClientsOfAnAddressWithoutTheirPort) {
  AddressCounts counts(ServerOptions{}.address_prefix_bits);
  const ClientAddress a = address4(0x7f000001, 1), b = address4(0x7f000001, 2);
  EXPECT_TRUE(counts.enter(a, 2));
  EXPECT_TRUE(counts.enter(b, 2));
  EXPECT_FALSE(counts.enter(a, 2));
  EXPECT_TRUE(counts.enter(address4(0x7f000002, 2), 2));
  counts.leave(b);
  EXPECT_TRUE(counts.enter(a, 2));
  EXPECT_FALSE(counts.enter(a, 2));
}

TEST(AddressCounts, CountsTheNetworkOfAnIpv6Client) {
  AddressCounts counts(ServerOptions{}.address_prefix_bits);
  EXPECT_TRUE(counts.enter(address6("2001:db8:0:1::1", 1), 2));
  EXPECT_TRUE(counts.enter(address6("2001:db8:0:1:ffff::", 2), 2));
  EXPECT_FALSE(counts.enter(address6("2001:db8:0:1:8000::7", 3), 2));
  EXPECT_TRUE(counts.enter(address6("2001:db8:0:2::1", 4), 2));
  EXPECT_TRUE(counts.enter(address6("2001:db8:1:1::1", 5), 2));
  counts.leave(address6("2001:db8:0:1::2", 6));
  EXPECT_TRUE(counts.enter(address6("2001:db8:0:1::3", 7), 2));
  EXPECT_FALSE(counts.enter(address6("2001:db8:0:1::1", 8), 2));
}

TEST(AddressCounts, AnIpv4ClientIsTheSameOneAtASocketOfBothFamilies) {
  AddressCounts counts(ServerOptions{}.address_prefix_bits);
  const ClientAddress mapped = address6("::ffff:127.0.0.1", 1);
  const ClientAddress plain = address4(0x7f000001, 0);
  EXPECT_EQ(mapped.describe(), "127.0.0.1:1");
  EXPECT_TRUE(counts.enter(mapped, 2));
  EXPECT_TRUE(counts.enter(plain, 2));
  EXPECT_FALSE(counts.enter(mapped, 2));
  EXPECT_FALSE(counts.enter(plain, 2));
  EXPECT_TRUE(counts.enter(address6("::ffff:127.0.0.2", 3), 2));
  counts.leave(mapped);
  EXPECT_TRUE(counts.enter(plain, 2));
}

TEST(AddressCounts, APrefixHasAsManyBitsAsTheOptionSays) {
  const char* first = "2001:db8:aaaa:aaaa:aaaa:aaaa:aaaa:aaaa";
  struct Case {
    uint32_t bits;
    const char *same, *other;
  };
  for (const Case& of : std::vector<Case>{
           {1, "7fff::", "8000::"},
           {56, "2001:db8:aaaa:aa00::", "2001:db8:aaaa:abaa:aaaa:aaaa:aaaa:aaaa"},
           {63, "2001:db8:aaaa:aaab::", "2001:db8:aaaa:aaa8:aaaa:aaaa:aaaa:aaaa"},
           {64, "2001:db8:aaaa:aaaa::", "2001:db8:aaaa:aaab:aaaa:aaaa:aaaa:aaaa"},
           {65, "2001:db8:aaaa:aaaa:8000::", "2001:db8:aaaa:aaaa:2aaa:aaaa:aaaa:aaaa"},
           {128, first, "2001:db8:aaaa:aaaa:aaaa:aaaa:aaaa:aaab"}}) {
    AddressCounts counts(of.bits);
    EXPECT_TRUE(counts.enter(address6(first, 1), 1));
    EXPECT_FALSE(counts.enter(address6(of.same, 2), 1)) << of.bits;
    EXPECT_TRUE(counts.enter(address6(of.other, 3), 1)) << of.bits;
  }
}

}  // namespace
}}  // namespace trireme
