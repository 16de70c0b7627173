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

TEST(Endpoint, OtherKinds) {
  using Kind = Endpoint::Kind;
  const struct {
    std::string url;
    Kind kind;
    std::string name;
    int fd = -1;
  } cases[] = {
      {"unix:/run/a.sock", Kind::kUnix, "/run/a.sock"},
      {"unix:///run/a.sock", Kind::kUnix, "///run/a.sock"},
      {"unix:@name", Kind::kUnix, "@name"},
      {"unix:/a b=c&d", Kind::kUnix, "/a b=c&d"},
      {"unix:/" + std::string(106, 'x'), Kind::kUnix, "/" + std::string(106, 'x')},
      {"unix:@" + std::string(107, 'x'), Kind::kUnix, "@" + std::string(107, 'x')},
      {"fd:0", Kind::kDescriptor, "", 0},
      {"fd:2147483647", Kind::kDescriptor, "", 2147483647},
      {"systemd:", Kind::kSystemd, ""},
      {"systemd:web.socket", Kind::kSystemd, "web.socket"},
  };
  for (const auto& one : cases) {
    const Result<Endpoint> result = parse_endpoint(one.url);
    ASSERT_TRUE(result.ok()) << one.url << ": " << result.error().message;
    const Endpoint& endpoint = result.value();
    EXPECT_EQ(endpoint.kind, one.kind) << one.url;
    EXPECT_EQ(endpoint.name, one.name) << one.url;
    EXPECT_EQ(endpoint.fd, one.fd) << one.url;
    EXPECT_FALSE(endpoint.options.any());
    if (one.kind != Kind::kUnix) continue;
    EXPECT_EQ(endpoint.has_file(), one.name.front() == '/');
    EXPECT_EQ(to_url(endpoint.address), "unix:" + one.name);
  }
}

TEST(Endpoint, OptionsBehindAQuestionMark) {
  const Result<Endpoint> all = parse_endpoint("unix:/a?mode=0660&user=me&group=12&backlog=7");
  ASSERT_TRUE(all.ok()) << all.error().message;
  EXPECT_EQ(all.value().name, "/a");
  EXPECT_EQ(all.value().options.mode, 0660u);
  EXPECT_EQ(all.value().options.user, "me");
  EXPECT_EQ(all.value().options.group, "12");
  EXPECT_EQ(all.value().options.backlog, 7);
  const Result<Endpoint> tcp = parse_endpoint("tcp://127.0.0.1:80?backlog=3");
  ASSERT_TRUE(tcp.ok()) << tcp.error().message;
  EXPECT_EQ(to_url(tcp.value().address), "tcp://127.0.0.1:80");
  EXPECT_EQ(tcp.value().options.backlog, 3);
}

TEST(Endpoint, TableOfWrongOnesOfOtherKinds) {
  const std::string path = "a path must begin with '/'", octal = "mode must be an octal number",
                    of_file = "mode, user and group are of the file",
                    inherited = "an inherited socket has been bound",
                    known = "behind the '?' may stand backlog, mode, user and group";
  const struct {
    std::string url;
    std::string sentence;
  } cases[] = {
      {"unix:", path},
      {"unix:run/a", path},
      {"unix:?mode=600", path},
      {"unix:@", "the name behind the '@' is missing"},
      {"unix:/run/", "this is a folder"},
      {std::string("unix:/a\0b", 9), "no byte that is zero"},
      {"unix:/" + std::string(107, 'x'), "at most 107 bytes, and this one has 108"},
      {"unix:@" + std::string(108, 'x'), "at most 107 bytes, and this one has 108"},
      {"fd:", "write fd:N"},
      {"fd:-1", "write fd:N"},
      {"fd:x", "write fd:N"},
      {"fd:3x", "write fd:N"},
      {"fd:2147483648", "write fd:N"},
      {"unix:/a?", known},
      {"unix:/a?x=1", known},
      {"unix:/a?mode=600&", known},
      {"unix:/a?mode", octal},
      {"unix:/a?mode=", octal},
      {"unix:/a?mode=680", octal},
      {"unix:/a?mode=1777", octal},
      {"unix:/a?backlog=0", "backlog must be a number, at least 1"},
      {"unix:/a?user=", "the name of the user or group is missing"},
      {"unix:@a?mode=600", of_file},
      {"tcp://127.0.0.1:1?user=me", of_file},
      {"fd:3?backlog=3", inherited},
      {"systemd:a?mode=600", inherited},
      {"unixes:/a", "write tcp://HOST:PORT, unix:/path, unix:@name, fd:N or systemd:NAME"},
  };
  for (const auto& one : cases) {
    const Result<Endpoint> result = parse_endpoint(one.url);
    ASSERT_FALSE(result.ok()) << one.url;
    EXPECT_EQ(result.error().code, Error::Code::kUsage);
    EXPECT_NE(result.error().message.find(one.sentence), std::string::npos)
        << one.url << ": " << result.error().message;
  }
}

TEST(Endpoint, EveryIpv4Address) {
  const SocketAddress address = any_ipv4(4711);
  EXPECT_EQ(port_of(address), 4711);
  EXPECT_EQ(to_url(address), "tcp://0.0.0.0:4711");
}

}  // namespace
}}  // namespace trireme
