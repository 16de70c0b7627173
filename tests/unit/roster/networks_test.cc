// Goal: who is in a list of networks, to the bit, and what is no network.
// Method: addresses around the border of each.
#include "roster/networks.h"

#include <gtest/gtest.h>

#include <string>

#include "accept/endpoint.h"

namespace trireme { inline namespace v0 { namespace {

bool has(const char* network, const char* host) {
  Networks networks;
  EXPECT_EQ(networks.add(network), nullptr) << network;
  return networks.contains(parse_endpoint(std::string("tcp://") + host + ":1").value().address);
}

std::string refusal(const char* text) {
  Networks networks;
  const char* const wrong = networks.add(text);
  EXPECT_TRUE(networks.empty()) << text;
  return wrong == nullptr ? "" : wrong;
}

TEST(NetworksTest, KnowsItsBorders) {
  EXPECT_TRUE(has("10.0.0.0/8", "10.0.0.0"));
  EXPECT_TRUE(has("10.0.0.0/8", "10.255.255.255"));
  EXPECT_FALSE(has("10.0.0.0/8", "11.0.0.0"));
  EXPECT_FALSE(has("10.0.0.0/8", "9.255.255.255"));
  EXPECT_TRUE(has("192.0.2.128/25", "192.0.2.128"));
  EXPECT_FALSE(has("192.0.2.128/25", "192.0.2.127"));
  EXPECT_TRUE(has("192.0.2.1", "192.0.2.1"));
  EXPECT_FALSE(has("192.0.2.1", "192.0.2.0"));
  EXPECT_TRUE(has("0.0.0.0/0", "203.0.113.9"));
  EXPECT_TRUE(has("2001:db8::/33", "[2001:db8:7fff::1]"));
  EXPECT_FALSE(has("2001:db8::/33", "[2001:db8:8000::1]"));
  EXPECT_TRUE(has("::1", "[::1]"));
  EXPECT_FALSE(has("::1", "[::2]"));
}

TEST(NetworksTest, TakesIpv4ForWhatItIsOnASocketOfBoth) {
  EXPECT_TRUE(has("10.0.0.0/8", "[::ffff:10.1.2.3]"));
  EXPECT_FALSE(has("10.0.0.0/8", "[::ffff:11.1.2.3]"));
  EXPECT_FALSE(has("0.0.0.0/0", "[::1]"));
  EXPECT_TRUE(has("::/0", "1.2.3.4"));
}

TEST(NetworksTest, RefusesWhatIsNone) {
  const std::string form = "write an address or a network, such as 10.0.0.0/8 or 2001:db8::1";
  for (const char* text : {"", "/8", "10.0.0", "localhost", "10.0.0.0.0/8", "[::1]", "*"})
    EXPECT_EQ(refusal(text), form) << text;
  const std::string bits = "the number of bits behind the '/' is 0 to 32, or to 128 of IPv6";
  for (const char* text : {"10.0.0.0/", "10.0.0.0/33", "10.0.0.0/-1", "10.0.0.0/8x", "::/129"})
    EXPECT_EQ(refusal(text), bits) << text;
  const std::string behind = "the address has bits behind those that count";
  for (const char* text : {"10.0.0.1/8", "2001:db8::1/32", "192.0.2.129/25"})
    EXPECT_EQ(refusal(text), behind) << text;
}

}}}  // namespace trireme
