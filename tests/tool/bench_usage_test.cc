// Goal: `trireme bench` refuses what makes no sense, with one sentence that says why, before it
// sends anything. Method: the real program; tables.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tool/bench/options.h"
#include "tool/bench_runs.h"
#include "tool/peer.h"

namespace {

using support::contains;
using support::Ended;
using support::Peer;
using support::TextFile;
using support::Words;

TEST(BenchProgram, SaysThatDescriptorsDoNotSuffice) {
  Peer peer;
  const Ended run =
      support::bench({"echo", peer.url(), "--connections", "100"}, {.descriptors_max = 64});
  EXPECT_EQ(run.status, 1);
  EXPECT_TRUE(contains(run.errors, "100 connections need 133 descriptors")) << run.errors;
  EXPECT_TRUE(contains(run.errors, "is 64")) << run.errors;
}

TEST(BenchOptions, ManyConnectionsHaveManySources) {
  const auto ipv4 = load::resolve_url("tcp://127.0.0.1:1");  // why: looked up, not connected to
  const auto ipv6 = load::resolve_url("tcp://[::1]:1");      // why: looked up, not connected to
  ASSERT_TRUE(ipv4.ok() && ipv6.ok());
  const struct {
    const char* scenario;
    const char* connections;
    uint32_t sources;
  } all[] = {
      {"echo", "4999", 1}, {"echo", "19000", 4}, {"churn", "10", 16}, {"churn", "90000", 19}};
  for (const auto& each : all) {
    bench::BenchOptions options;
    options.scenario = each.scenario;
    const std::vector<bench::Option> table = bench::option_table(options);
    ASSERT_TRUE(table[0].take(each.connections).ok());
    ASSERT_TRUE(bench::complete(options).ok());
    ASSERT_TRUE(bench::check_endpoint(options, ipv4.value()).ok());
    EXPECT_EQ(options.run.load.sources, each.sources) << each.scenario << each.connections;
    ASSERT_TRUE(bench::check_endpoint(options, ipv6.value()).ok());
    EXPECT_EQ(options.run.load.sources, 1u) << "only 127.0.0.0/8 has more";
  }
}

struct Wrong {
  Words words;
  std::string said;
};

void expect_refused(const Wrong& line) {
  const Ended run = support::bench(line.words);
  const std::string all = ::testing::PrintToString(line.words);
  EXPECT_EQ(run.status, 2) << all << run.errors;
  EXPECT_EQ(run.out, "") << all;
  EXPECT_EQ(run.errors.find('\n'), run.errors.size() - 1) << all << run.errors;
  EXPECT_TRUE(contains(run.errors, line.said)) << all << run.errors;
}

TEST(BenchProgram, OptionsOfTlsNeedIt) {
  const std::string url = "tcp://127.0.0.1:1";  // why: never connected to
  expect_refused({{"handshakes", url}, "handshakes needs a URL tls://"});
  expect_refused({{"echo", url, "--tls-name", "a.test"}, "--tls-name needs a URL tls://"});
  expect_refused({{"echo", url, "--tls-version", "1.1"}, "expected 1.2 or 1.3"});
}

TEST(BenchProgram, WrongCommandLines) {
  const TextFile good("send \"a\"\nexpect \"a\"\n");
  const TextFile pausing("send \"a\"\nexpect \"a\"\npause 1ms\n");
  const TextFile wrong("sned \"a\"\n");
  const std::string url = "tcp://127.0.0.1:1";  // why: never connected to
  const Wrong lines[] = {
      {{}, "expected a scenario: echo, lines, churn, handshakes, idle, stream, script"},
      {{"row", url}, ""},
      {{"echo"}, "URL"},
      {{"echo", "nonsense"}, "expected a URL"},
      {{"echo", "tcp://127.0.0.1"}, "expected a URL"},
      {{"echo", "tcp://127.0.0.1:0"}, "expected a URL"},
      {{"echo", "tcp://127.0.0.1:65536"}, "expected a URL"},  // why: no port at all
      {{"echo", "tcp://::1:7"}, "expected a URL"},            // why: never connected to
      {{"echo", "http://127.0.0.1:80"}, "expected a URL"},    // why: never connected to
      {{"echo", "unix:relative"}, "expected a URL"},
      {{"echo", "unix:/" + std::string(200, 'x')}, "at most 107 bytes"},
      {{"echo", url, "--connections", "0"}, "--connections"},
      {{"echo", url, "--duration", "0"}, "at least 1us"},
      {{"echo", url, "--duration", "10"}, "expected a duration"},
      {{"echo", url, "--bytes", "0"}, "at least 1, at most 1GiB"},
      {{"echo", url, "--rate", "fast"}, "expected a number from 0.001 to 100000000"},
      {{"echo", url, "--rate", "0"}, "expected a number from 0.001 to 100000000"},
      {{"echo", url, "--rate", "nan"}, "expected a number from 0.001 to 100000000"},
      {{"echo", url, "--rate", "100000001"}, "expected a number from 0.001 to 100000000"},
      {{"echo", url, "--bytes", "2GiB"}, "at least 1, at most 1GiB"},
      {{"echo", url, "--codec", "fixed:1073741825"}, "fixed:N (N from 1 to 1073741824)"},
      {{"echo", url, "--depth", "100000", "--connections", "1000"}, "is at most 20000 with 1000"},
      {{"lines", url, "--block", "1", "--block-time", "61s"}, "10ms, 5s, at least 1us, at most 1m"},
      {{"echo", url, "--codec", "length-prefix:3"}, "expected bytes, lines"},
      {{"echo", url, "--codec", "length-prefix:1", "--bytes", "256"}, "does not fit"},
      {{"echo", url, "--codec", "fixed:10", "--bytes", "11"}, "contradict"},
      {{"echo", url, "--threads", "9", "--connections", "8"}, "here 8"},
      {{"echo", url, "--block", "0.1"}, "belongs to the scenarios lines and http"},
      {{"echo", url, "--active", "3"}, "belongs to the scenarios idle, http and ws"},
      {{"echo", url, "--direction", "up"}, "belongs to the scenario stream"},
      {{"echo", url, "--congestion", "nonsense"}, "does not know"},
      {{"echo", "unix:@nobody", "--congestion", "reno"}, "needs tcp"},
      {{"echo", "unix:@nobody", "--sources", "2"}, "127.0.0.0/8"},
      {{"echo", url, "--pid", "4194303"}, "no process"},
      {{"echo", url, "--plot", "/nonexistent/a.svg"}, "cannot write"},
      {{"churn", url, "--depth", "2"}, "one request a connection"},
      {{"churn", url, "--ramp", "1s"}, "no ramp"},
      {{"lines", url, "--bytes", "10"}, "no size"},
      {{"lines", url, "--codec", "bytes"}, "belongs to the scenarios"},
      {{"lines", url, "--block-time", "1ms"}, "without --block"},
      {{"lines", url, "--block", "1.5"}, "from 0 to 1"},
      {{"idle", url, "--connections", "5", "--active", "6"}, "at most --connections"},
      {{"stream", url, "--direction", "sideways"}, "expected both or up"},
      {{"stream", url, "--direction", "up", "--depth", "3"}, "needs replies"},
      {{"script", url}, "--script FILE is needed"},
      {{"script", url, "--script", "/nonexistent"}, "cannot read"},
      {{"script", url, "--script", "/tmp"}, "cannot read /tmp: Is a directory"},
      {{"script", url, "--script", "/dev/zero"}, "at most 1MiB"},
      {{"script", url, "--script", wrong.path()}, "line 1: there is no step \"sned\""},
      {{"script", url, "--script", pausing.path(), "--rate", "5"}, "rhythm of its own"},
      {{"script", url, "--script", good.path(), "--depth", "2"}, "what is in flight"},
  };
  for (const Wrong& line : lines) expect_refused(line);
}

TEST(BenchProgram, WrongCommandLinesOfTheWeb) {
  const std::string url = "tcp://127.0.0.1:1";    // why: never connected to
  const std::string web = "http://127.0.0.1:1/";  // why: likewise
  const Wrong lines[] = {
      {{"http", url}, "expected a URL http://HOST"},
      {{"http", "http://"}, "expected a URL http://HOST"},        // why: no host at all
      {{"http", "http://a/b#c"}, "expected a URL http://HOST"},   // why: never connected to
      {{"http", "ws://127.0.0.1:1/"}, "expected a URL http://"},  // why: never connected to
      {{"ws", "http://127.0.0.1:1/"}, "expected a URL ws://"},    // why: never connected to
      {{"http", web, "--method", "A B"}, "expected a word"},
      {{"http", web, "--header", "nonsense"}, "expected \"Name: value\""},
      {{"http", web, "--header", "A: b\r\nC: d"}, "expected \"Name: value\""},
      {{"http", web, "--status", "100"}, "from 200 to 599"},
      {{"http", web, "--echo"}, "--echo needs --bytes"},
      {{"http", web, "--echo", "--bytes", "5", "--reply-bytes", "5"}, "contradict"},
      {{"http", web, "--block", "0.5"}, "--block and --block-path go together"},
      {{"http", web, "--block-path", "x"}, "begins with a slash"},
      {{"http", web, "--close", "--depth", "2"}, "one request a connection"},
      {{"http", web, "--close", "--active", "2"}, "no --active"},
      {{"http", web, "--binary"}, "belongs to the scenario ws"},
      {{"ws", "ws://127.0.0.1:1/", "--echo"}, "belongs to the scenario http"},  // why: likewise
  };
  for (const Wrong& line : lines) expect_refused(line);
}

}  // namespace
