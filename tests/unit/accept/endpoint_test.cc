// Goal: a URL means one address, and every wrong one is refused with a sentence that says what to
// write. Method: tables.
#include "accept/endpoint.h"

#include <gtest/gtest.h>

#include <string>

namespace trireme { inline namespace v0 { namespace {

TEST(Endpoint, TableOfGoodOnes) {
  const struct {
    const char* url;
    const char* canonical;
    bool every_address;
  } cases[] = {
      {"tcp://127.0.0.1:7000", "tcp://127.0.0.1:7000", false},
      {"tcp://0.0.0.0:0", "tcp://0.0.0.0:0", false},
      {"tcp://10.1.2.3:65535", "tcp://10.1.2.3:65535", false},
      {"tcp://localhost:80", "tcp://127.0.0.1:80", false},
      {"tcp://[::1]:7000", "tcp://[::1]:7000", false},
      {"tcp://[::]:0", "tcp://[::]:0", false},
      {"tcp://[2001:db8::0:1]:1", "tcp://[2001:db8::1]:1", false},
      {"tcp://[::ffff:1.2.3.4]:9", "tcp://[::ffff:1.2.3.4]:9", false},
      {"tcp://:7000", "tcp://[::]:7000", true},
      {"tcp://:0", "tcp://[::]:0", true},
      {"tcp://127.0.0.1:00080", "tcp://127.0.0.1:80", false},
      {"tcp://[fe80::1%eth0]:7000", "tcp://[fe80::1%eth0]:7000", false},
      {"tcp://[FE80::0:1%2]:0", "tcp://[fe80::1%2]:0", false},
  };
  for (const auto& one : cases) {
    const Result<Endpoint> result = parse_endpoint(one.url);
    ASSERT_TRUE(result.ok()) << one.url;
    EXPECT_EQ(to_url(result.value().address, result.value().zone), one.canonical);
    EXPECT_EQ(result.value().every_address, one.every_address) << one.url;
    EXPECT_GT(result.value().address.size, 0u);
  }
}

TEST(Endpoint, TableOfWrongOnes) {
  const std::string scheme = "write tcp://HOST:PORT", missing = "the port is missing",
                    number = "the port must be a number from 0 to 65535",
                    host = "the host must be an IPv4 address",
                    interface = "a link-local address needs its interface",
                    no_interface = "only a link-local address";
  const struct {
    std::string url;
    std::string sentence;
  } cases[] = {
      {"", scheme},
      {"tcp://[fe80::1]:7000", interface},
      {"tcp://[fe80::1%]:7000", interface},
      {"tcp://[::1%lo]:7000", no_interface},
      {"tcp://[2001:db8::1%2]:7000", no_interface},
      {"tcp://[fe80::1%eth0:7000", host},
      {"tcp://127.0.0.1%lo:7000", host},
      {"127.0.0.1:7000", scheme},
      {"tcp:/127.0.0.1:7000", scheme},
      {"TCP://127.0.0.1:7000", scheme},
      {"udp://127.0.0.1:7000", scheme},
      {"tcp://", missing},
      {"tcp://127.0.0.1", missing},
      {"tcp://127.0.0.1:", number},
      {"tcp://127.0.0.1:65536", number},
      {"tcp://127.0.0.1:99999999999999999999", number},
      {"tcp://127.0.0.1:-1", number},
      {"tcp://127.0.0.1:+1", number},
      {"tcp://127.0.0.1:0x50", number},
      {"tcp://127.0.0.1: 80", number},
      {"tcp://127.0.0.1:80 ", number},
      {"tcp://127.0.0.1:80/", number},
      {"tcp://127.0.0.1:http", number},
      {"tcp://[::1]", number},
      {"tcp://::1:7000", host},
      {"tcp://[]:7000", host},
      {"tcp://[:7000", host},
      {"tcp://]:7000", host},
      {"tcp://[127.0.0.1]:7000", host},
      {"tcp://[::1:7000", host},
      {"tcp://127.0.0.256:7000", host},
      {"tcp://127.1:7000", host},
      {"tcp://example.org:7000", host},
      {"tcp://*:7000", host},
      {"tcp:// :7000", host},
      {std::string("tcp://127.0.0.1\0x:7000", 22), host},
      {std::string("tcp://[::1\0x]:7000", 18), host},
  };
  for (const auto& one : cases) {
    const Result<Endpoint> result = parse_endpoint(one.url);
    ASSERT_FALSE(result.ok()) << one.url;
    EXPECT_EQ(result.error().code, Error::Code::kUsage);
    EXPECT_NE(result.error().message.find(one.sentence), std::string::npos)
        << one.url << ": " << result.error().message;
    EXPECT_NE(result.error().message.find("'" + one.url + "'"), std::string::npos);
  }
}

TEST(Endpoint, EveryIpv4Address) {
  const SocketAddress address = any_ipv4(4711);
  EXPECT_EQ(port_of(address), 4711);
  EXPECT_EQ(to_url(address), "tcp://0.0.0.0:4711");
}

}  // namespace
}}  // namespace trireme
