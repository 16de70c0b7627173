// Goal: the admin endpoint tells what the server does, in Prometheus' format, to this machine
// alone. Method: a server, its admin endpoint and a raw client; a strict reader of the format.
#include "services/admin.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>
#include <sstream>
#include <string>

#include "support/client.h"
#include "trireme/codec.h"

namespace {

namespace tr = trireme;
using services::Admin;

std::string ask(const std::string& url, const std::string& line, const std::string& host) {
  support::Client client(url);
  client.send(line + " HTTP/1.1\r\nHost: " + host + "\r\nConnection: close\r\n\r\n");
  return client.receive_all();
}

class AdminEndpoint : public testing::Test {
 protected:
  AdminEndpoint() {
    server_.listen("tcp://127.0.0.1:0", tr::lines(),
                   [](const tr::Request& request) -> tr::Answer { return request.own(); },
                   {.name = "of \"lines\""});
    EXPECT_TRUE(server_.start().ok());
  }
  std::string get(const std::string& path, const std::string& host = "127.0.0.1:9000") {
    return ask(admin_.url(), "GET " + path, host);
  }

  tr::Server server_{tr::ServerOptions{.io_workers = 1}};
  Admin admin_{server_, {.url = "tcp://127.0.0.1:0"}};
};

TEST_F(AdminEndpoint, TellsWhatTheServerDoes) {
  ASSERT_TRUE(admin_.start().ok());
  EXPECT_TRUE(get("/readyz").starts_with("HTTP/1.1 503 ")) << "nobody has said that it serves";
  admin_.note_ready();
  support::Client client(server_.urls()[0]);
  client.send("hello\n");
  EXPECT_EQ(client.line(), "hello");
  EXPECT_NE(get("/metrics").find("\ntrireme_requests_total 1\n"), std::string::npos);
  EXPECT_NE(get("/connections").find("\"live\":1,"), std::string::npos);
  EXPECT_NE(get("/stalls").find("\"service\":\"of \\\"lines\\\"\""), std::string::npos);
  EXPECT_TRUE(get("/healthz").starts_with("HTTP/1.1 200 "));
  EXPECT_TRUE(get("/readyz").starts_with("HTTP/1.1 200 "));
  server_.drain();
  EXPECT_TRUE(get("/readyz").starts_with("HTTP/1.1 503 ")) << "who balances load sends nobody";
  EXPECT_TRUE(get("/healthz").starts_with("HTTP/1.1 200 "));
}

TEST_F(AdminEndpoint, IsForThisMachineAlone) {
  ASSERT_TRUE(admin_.start().ok());
  EXPECT_TRUE(get("/metrics", "localhost").starts_with("HTTP/1.1 200 "));
  EXPECT_TRUE(get("/metrics", "[::1]:9000").starts_with("HTTP/1.1 200 "));
  for (const char* host : {"evil.example", "127.evil.example", "127.1", "[::2]", ""}) {
    EXPECT_TRUE(get("/metrics", host).starts_with("HTTP/1.1 421 ")) << host;
  }
  EXPECT_TRUE(ask(admin_.url(), "POST /metrics", "localhost").starts_with("HTTP/1.1 405 "));
  for (const char* url : {"tcp://0.0.0.0:0", "tcp://:0", "tcp://[::]:0", "tcp://10.0.0.1:0",
                          "tcp://127.evil.example:0"}) {
    const auto refused = Admin(server_, {.url = url}).start();
    ASSERT_FALSE(refused.ok()) << url;
    EXPECT_NE(refused.error().message.find("--admin-public"), std::string::npos);
  }
}

TEST_F(AdminEndpoint, SpeaksPrometheus) {
  const std::string text = services::metrics_text(server_.stats());
  std::istringstream lines(text);
  std::map<std::string, std::string> types;
  std::set<std::string> samples;
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    std::string first, second, name, type;
    words >> first >> second >> name >> type;
    if (first == "#") {
      if (second == "TYPE") {
        EXPECT_TRUE(types.emplace(name, type).second) << "a metric comes once: " << name;
      }
      continue;
    }
    const std::string sample = first.substr(0, first.find('{'));
    ASSERT_EQ(types.count(sample), 1u) << line;
    EXPECT_TRUE(samples.insert(line.substr(0, line.rfind(' '))).second) << line;
    const std::string value = line.substr(line.rfind(' ') + 1);
    EXPECT_TRUE(std::all_of(value.begin(), value.end(), [](char c) {
      return c >= '0' && c <= '9';
    })) << line;
    EXPECT_EQ(types[sample] == "counter", sample.ends_with("_total")) << line;
  }
  EXPECT_GT(types.size(), 40u);
}

}  // namespace
