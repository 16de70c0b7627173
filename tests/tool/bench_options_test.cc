// Goal: each option of `trireme bench` works in every scenario that lists it, and is refused with a
// sentence in those that do not. Method: the whole table, with the real program against services.
#include "tool/bench/options.h"

#include <gtest/gtest.h>

#include <deque>
#include <map>
#include <memory>
#include <string>

#include "tool/bench_runs.h"

namespace {

using support::bench_words;
using support::Child;
using support::TextFile;
using support::Words;

struct Try {
  std::string value;
  Words with{};  // what it needs beside it
};

std::map<std::string, Try> tries(const std::string& script, const std::string& plot) {
  return {{"--connections", {"9"}},
          {"--active", {"3"}},
          {"--depth", {"7"}},
          {"--rate", {"500"}},
          {"--bytes", {"300"}},
          {"--codec", {"lines"}},
          {"--block", {"0.5", {"--block-time", "1ms"}}},
          {"--block-time", {"1ms", {"--block", "0.5"}}},
          {"--direction", {"both"}},
          {"--block-path", {"/delay/1000", {"--block", "0.5"}}},
          {"--method", {"HEAD"}},
          {"--header", {"X-Asked: yes"}},
          {"--status", {"200"}},
          {"--reply-bytes", {"13"}},
          {"--echo", {"", {"--bytes", "9"}}},
          {"--close", {""}},
          {"--binary", {""}},
          {"--script", {script}},
          {"--duration", {"40ms"}},
          {"--warm-up", {"10ms"}},
          {"--ramp", {"10ms"}},
          {"--connect-timeout", {"3s"}},
          {"--grace", {"3s"}},
          {"--threads", {"2"}},
          {"--sources", {"3"}},
          {"--congestion", {"reno"}},
          {"--tls-ca", {script}},
          {"--tls-name", {"a.test"}},
          {"--tls-alpn", {"h2"}},
          {"--tls-version", {"1.3"}},
          {"--tls-resume", {""}},
          {"--json", {""}},
          {"--plot", {plot}},
          {"--pid", {std::to_string(::getpid())}}};
}

// Of the service hello, where that option makes sense.
std::string path_for(const std::string& scenario, const std::string& option) {
  if (scenario == "ws") return "/ws";
  if (option == "--bytes" || option == "--echo") return "/echo";
  return option.starts_with("--block") ? "/delay/0" : "/";
}

struct Attempt {
  std::string line;
  bool refused;
  std::unique_ptr<Child> child;
};

void check(Attempt& attempt) {
  const int status = attempt.child->wait_exit();
  const std::string out = attempt.child->out();
  const std::string said = attempt.child->errors();
  const std::string all = attempt.line + out + said;
  if (attempt.refused) {
    EXPECT_EQ(status, 2) << all;
    EXPECT_EQ(out, "") << all;
    EXPECT_EQ(said.find('\n'), said.size() - 1) << all;
  } else {
    // On a busy machine the first reply may come after so short a run.
    EXPECT_TRUE(status == 0 || support::contains(out, "nothing was answered")) << all;
    EXPECT_EQ(said, "") << all;
  }
}

// A table of the options of one scenario.
void try_all(const std::string& scenario, const std::string& url, const std::string& script,
             std::deque<Attempt>& attempts) {
  const TextFile plot("");
  const std::map<std::string, Try> all = tries(script, plot.path());
  bench::BenchOptions options;
  options.scenario = scenario;
  for (const bench::Option& option : bench::option_table(options)) {
    ASSERT_TRUE(all.contains(option.name)) << option.name;
    Try each = all.at(option.name);
    const bool is_web = scenario == "http" || scenario == "ws";
    if (is_web && option.name == std::string("--block")) {
      each.with = {"--block-path", "/delay/1000"};
    }
    // Those of TLS are tried by the tests of TLS: the servers here are plain.
    const bool refused = option.group[0] == '\0' || scenario == "handshakes" ||
                         std::string_view(option.name).starts_with("--tls-");
    Words words = {scenario, is_web ? url + path_for(scenario, option.name) : url, option.name};
    if (!each.value.empty()) words.push_back(each.value);
    if (!refused) words.insert(words.end(), each.with.begin(), each.with.end());
    const auto give = [&](const std::string& name, const std::string& value) {
      if (option.name != name) words.insert(words.end(), {name, value});
    };
    give("--duration", "20ms");
    give("--warm-up", "0");
    if (scenario == "idle") give("--connections", "20");
    if (scenario == "script") give("--script", script);
    attempts.push_back(
        {::testing::PrintToString(words), refused, std::make_unique<Child>(bench_words(words))});
    if (attempts.size() < 4) continue;
    check(attempts.front());
    attempts.pop_front();
  }
  for (Attempt& attempt : attempts) check(attempt);
  attempts.clear();
}

TEST(BenchOptions, EachWorksWhereItIsListedAndIsRefusedElsewhere) {
  Child echo({"serve", "echo", "--listen", "tcp://127.0.0.1:0", "--io-workers", "1"});
  Child delay({"serve", "delay", "--listen", "tcp://127.0.0.1:0", "--io-workers", "1"});
#ifdef TRIREME_HAS_HTTP
  Child hello({"serve", "hello", "--listen", "tcp://127.0.0.1:0", "--io-workers", "1"});
  const std::string host = hello.url().substr(hello.url().find("://"));
#endif
  const TextFile script("send \"a\"\nexpect \"a\"\nclose\n");
  for (const bench::ScenarioHelp& scenario : bench::scenarios()) {
    const std::string name = scenario.name;
    std::string url = name == "lines" ? delay.url() : echo.url();
    if (name == "http" || name == "ws") {
#ifdef TRIREME_HAS_HTTP
      url = name + host;
#else
      continue;
#endif
    }
    std::deque<Attempt> attempts;
    try_all(name, url, script.path(), attempts);
  }
}

// The standard of an option that was not given never makes a command line wrong.
TEST(BenchOptions, StandardsFitWhatIsGiven) {
  for (const char* scenario : {"echo", "lines", "idle", "stream"}) {
    bench::BenchOptions options;
    options.scenario = scenario;
    for (const bench::Option& option : bench::option_table(options)) {
      const std::string name = option.name;
      const char* const value = name == "--connections" ? "1000000" : "5";
      if (name != "--connections" && name != "--rate") continue;
      ASSERT_TRUE(option.take(value).ok());
    }
    const auto completed = bench::complete(options);
    EXPECT_TRUE(completed.ok()) << scenario << ": " << completed.error().message;
  }
}

}  // namespace
