#include "tool/bench/options.h"

#include <algorithm>
#include <utility>

#include "tool/bench/takes.h"
#include "tool/bench/tls_options.h"

namespace bench {
namespace {

using load::Scenario;

constexpr uint32_t kInFlightMax = 20'000'000;  // of all connections; 24 bytes each
constexpr const char* kLoadGroup = "What is sent";
constexpr const char* kTimeGroup = "When";
constexpr const char* kSocketGroup = "From where";
constexpr const char* kResultGroup = "What is told";

// Builds the table: every option, with those hidden that this scenario refuses.
class Table {
 public:
  explicit Table(BenchOptions& options) : options_(options), scenario_(options.run.load.scenario) {}

  std::vector<Option> build() {
    add_load();
    add_times();
    add_sockets();
    add_tls();
    add_results();
    return std::move(table_);
  }

 private:
  // `refusal` is a sentence if the scenario has no such option.
  void add(Option option, const char* refusal = nullptr) {
    if (refusal != nullptr) {
      option.group = "";
      option.take = refuse(refusal);
    }
    option.take = [take = std::move(option.take), name = option.name,
                   &given = options_.given](const std::string& text) {
      given.insert(name);
      return take(text);
    };
    table_.push_back(std::move(option));
  }

  bool is(Scenario scenario) const { return scenario_ == scenario; }
  bool is_web() const { return is(Scenario::kHttp) || is(Scenario::kWebSocket); }
  const char* only(Scenario scenario, const char* refusal) const {
    return is(scenario) ? nullptr : refusal;
  }

  void add_load() {
    load::LoadOptions& load = options_.run.load;
    add({"--connections", "N", std::to_string(load.connections),
         is(Scenario::kIdle) ? "connections open at once, active ones among them"
                             : "connections open at once",
         kLoadGroup, count(load.connections, {1, 1'000'000})});
    add({"--active", "N", is_web() ? "" : "8",
         "so many of the connections send; the others are idle", kLoadGroup,
         count(load.active, {1, 1'000'000})},
        is_web() ? nullptr
                 : only(Scenario::kIdle,
                        "belongs to the scenarios idle, http and ws: elsewhere all connections "
                        "send"));
    add({"--depth", "N", std::to_string(load.depth),
         is(Scenario::kHttp) ? "requests in flight on each connection: more than 1 are pipelined"
                             : "requests in flight on each connection; 64 with --rate",
         kLoadGroup, count(load.depth, {1, 100'000})},
        is(Scenario::kChurn)    ? "churn has one request a connection: there is no depth"
        : is(Scenario::kScript) ? "a script decides itself what is in flight: there is no depth"
                                : nullptr);
    add({"--rate", "R", "",
         "requests a second, all connections together; without it a reply allows the next request",
         kLoadGroup, number(load.rate, 0.001, 1e8, "from 0.001 to 100000000")});
    add_contents(load);
    add_web(load.web);
  }

  void add_contents(load::LoadOptions& load) {
    add({"--bytes", "SIZE",
         is(Scenario::kStream) ? "64KiB"
         : is(Scenario::kHttp) ? ""
                               : "64",
         is(Scenario::kStream)      ? "bytes of a chunk, which counts as one request"
         : is(Scenario::kHttp)      ? "bytes of a request's content; none: it has no content"
         : is(Scenario::kWebSocket) ? "bytes of a message"
                                    : "bytes of a message, without what the codec adds",
         kLoadGroup, size(load.bytes)},
        is(Scenario::kLines)    ? "the requests of lines are what they are: there is no size"
        : is(Scenario::kScript) ? "a script says itself what is sent: there is no size"
                                : nullptr);
    const auto codec = [&load](const std::string& text) -> tr::Result<tr::Done> {
      const auto framing = load::parse_framing(text);
      if (!framing) return framing.error();
      load.framing = framing.value();
      return tr::Done{};
    };
    add({"--codec", "CODEC", "bytes",
         "how messages are cut: bytes, lines, fixed:N (N bytes each), length-prefix:WIDTH "
         "(a length of 1, 2, 4 or 8 bytes before each, most significant first)",
         kLoadGroup, codec},
        is(Scenario::kLines) || is(Scenario::kStream) || is(Scenario::kScript) || is_web()
            ? "belongs to the scenarios echo, churn and idle"
            : nullptr);
    const char* const lines_only = "belongs to the scenario lines";
    const bool blocks = is(Scenario::kLines) || is(Scenario::kHttp);
    add({"--block", "FRACTION", "0", "so many of the requests, 0 to 1, ask the server to block",
         kLoadGroup, number(load.block_fraction, 0, 1, "from 0 to 1")},
        blocks ? nullptr : "belongs to the scenarios lines and http");
    const auto block_time = [&load](const std::string& text) -> tr::Result<tr::Done> {
      const auto time =
          load::parse_duration_in(text, {load::kDurationMin, std::chrono::seconds(60)});
      if (!time) return time.error();
      const auto us = std::chrono::duration_cast<std::chrono::microseconds>(time.value()).count();
      load.block_microseconds = static_cast<uint32_t>(us);
      return tr::Done{};
    };
    add({"--block-time", "TIME", "20ms", "for so long", kLoadGroup, block_time},
        only(Scenario::kLines, lines_only));
    const auto direction = [&load](const std::string& text) -> tr::Result<tr::Done> {
      if (text != "both" && text != "up") return usage("expected both or up, got \"" + text + "\"");
      load.one_way = text == "up";
      return tr::Done{};
    };
    add({"--direction", "WAY", "both",
         "both: the server sends everything back; up: it takes everything and sends nothing",
         kLoadGroup, direction},
        only(Scenario::kStream, "belongs to the scenario stream"));
    add({"--script", "FILE", "", "the steps; see below", kLoadGroup, words(options_.script)},
        only(Scenario::kScript, "belongs to the scenario script"));
  }

  void add_web(load::WebOptions& web) {
    const char* const http_only = only(Scenario::kHttp, "belongs to the scenario http");
    const auto flag = [](bool& target) -> Take {
      return [&target](const std::string&) -> tr::Result<tr::Done> {
        target = true;
        return tr::Done{};
      };
    };
    add({"--block-path", "PATH", "", "those go to this path, with its query", kLoadGroup,
         web_text(web.block_target, '/')},
        http_only);
    add({"--method", "NAME", "GET", "POST, if there is content and nothing is said", kLoadGroup,
         web_text(web.method)},
        http_only);
    const auto field = [&web](const std::string& text) -> tr::Result<tr::Done> {
      const auto taken = check_field(text);
      if (taken) web.fields.push_back(text);
      return taken;
    };
    add({"--header", "FIELD", "", "a field of each request, \"Name: value\"; repeat for more",
         kLoadGroup, field, true},
        is_web() ? nullptr : "belongs to the scenarios http and ws");
    add({"--status", "N", "200", "what each reply must say", kLoadGroup,
         count(web.status, {200, 599})},
        http_only);
    const auto reply_bytes = [&web](const std::string& text) -> tr::Result<tr::Done> {
      const auto bytes = load::parse_size_in(text, {0, uint64_t{1} << 40});
      if (!bytes) return bytes.error();
      web.reply_bytes = bytes.value();
      return tr::Done{};
    };
    add({"--reply-bytes", "SIZE", "",
         "bytes of each reply's content; if not given, as many as the first one has", kLoadGroup,
         reply_bytes},
        http_only);
    add({"--echo", "", "", "the content of each reply is that of its request", kLoadGroup,
         flag(web.echoes)},
        http_only);
    add({"--close", "", "", "a connection for each request", kLoadGroup, flag(web.closes)},
        http_only);
    add({"--binary", "", "", "binary messages, instead of text", kLoadGroup, flag(web.is_binary)},
        only(Scenario::kWebSocket, "belongs to the scenario ws"));
  }

  void add_times() {
    load::RunOptions& run = options_.run;
    add({"--duration", "TIME", "10s", "measure for so long", kTimeGroup,
         duration(run.duration, false)});
    add({"--warm-up", "TIME", "1s", "load before that, not counted", kTimeGroup,
         duration(run.warm_up, true)});
    add({"--ramp", "TIME", "0", "open the connections over this time, before the warm-up",
         kTimeGroup, duration(run.load.ramp, true)},
        is(Scenario::kChurn) ? "churn opens connections all the time: there is no ramp" : nullptr);
    add({"--connect-timeout", "TIME", "10s", "give up when a connect takes longer", kTimeGroup,
         duration(run.load.connect_time_max, false)});
    add({"--grace", "TIME", "5s", "wait so long for replies that are due at the end", kTimeGroup,
         duration(run.grace, true)});
  }

  void add_sockets() {
    load::RunOptions& run = options_.run;
    add({"--threads", "N", "1", "threads that send and receive, each with its own epoll set",
         kSocketGroup, count(run.threads, {1, 256})});
    add({"--sources", "N", std::to_string(run.load.sources),
         "spread connections over 127.0.0.1 to 127.0.0.N; if not given, one more for every "
         "5,000 connections",
         kSocketGroup, count(run.load.sources, {1, load::kSourcesMax})});
    add({"--congestion", "NAME", "",
         "TCP congestion control of the client's sockets, as the kernel knows it: cubic, reno",
         kSocketGroup, words(run.load.congestion)});
  }

  void add_tls() {
    for (Option& option : tls_options(options_.run.load.tls)) add(std::move(option));
  }

  void add_results() {
    add({"--json", "", "", "print one JSON object instead of text", kResultGroup,
         [&json = options_.json](const std::string&) -> tr::Result<tr::Done> {
           json = true;
           return tr::Done{};
         }});
    add({"--plot", "FILE", "", "draw latency by percentile and throughput over time, as SVG",
         kResultGroup, words(options_.plot)});
    add({"--pid", "PID", "",
         "process of the server: tell its CPU, memory, threads and context switches", kResultGroup,
         count(options_.run.pid, {1, 1 << 22})});
  }

  BenchOptions& options_;
  const Scenario scenario_;
  std::vector<Option> table_;
};

struct Known {
  ScenarioHelp help;
  Scenario scenario;
  uint32_t connections;
};
const std::vector<Known>& known_scenarios() {
  static const std::vector<Known> kKnown = {
      {{"echo", "messages that come back as they were"}, Scenario::kEcho, 64},
      {{"lines", "`ID MICROSECONDS` is answered `ID` after that time: serve delay"},
       Scenario::kLines,
       64},
      {{"churn", "connect, one message of echo, close"}, Scenario::kChurn, 64},
      {{"handshakes", "connect, a TLS handshake, one message of echo, close"},
       Scenario::kChurn,
       64},
      {{"idle", "many connections of which few send"}, Scenario::kIdle, 1000},
      {{"stream", "bulk: as many bytes as go through"}, Scenario::kStream, 4},
      {{"script", "what a file says, to any server"}, Scenario::kScript, 64},
      {{"http", "requests of HTTP/1.1 that all have the same status and length: serve hello"},
       Scenario::kHttp,
       64},
      {{"ws", "messages of WebSocket that come back as they were: serve hello"},
       Scenario::kWebSocket,
       64}};
  return kKnown;
}

// Of http and ws.
tr::Result<tr::Done> complete_web(BenchOptions& options) {
  load::LoadOptions& load = options.run.load;
  load::WebOptions& web = load.web;
  const auto given = [&options](const char* name) { return options.given.contains(name); };
  const bool is_http = load.scenario == Scenario::kHttp;
  auto url = load::read_web_url(options.url, is_http ? "http" : "ws");
  if (!url) return url.error();
  options.endpoint = url.value().endpoint;
  web.host = url.value().host;
  web.target = url.value().target;
  if (load.bytes > 0 && is_http && !given("--method")) web.method = "POST";
  if (web.echoes && load.bytes == 0) return usage("--echo needs --bytes: there is no content");
  if (web.echoes && given("--reply-bytes")) return usage("--echo and --reply-bytes contradict");
  if (given("--block") != given("--block-path") && is_http) {
    return usage("--block and --block-path go together");
  }
  if (!web.closes) return tr::Done{};
  if (load.depth > 1) return usage("--close is one request a connection: there is no --depth");
  if (given("--active")) return usage("--close leaves no connection idle: there is no --active");
  if (!given("--sources")) load.sources = 16;
  return tr::Done{};
}

}  // namespace

const std::vector<ScenarioHelp>& scenarios() {
  static const std::vector<ScenarioHelp> kHelp = [] {
    std::vector<ScenarioHelp> help;
    for (const Known& known : known_scenarios()) help.push_back(known.help);
    return help;
  }();
  return kHelp;
}

std::vector<Option> option_table(BenchOptions& options) {
  load::LoadOptions& load = options.run.load;
  for (const Known& known : known_scenarios()) {
    if (options.scenario != known.help.name) continue;
    load.scenario = known.scenario;
    load.connections = known.connections;
    options.needs_tls = options.scenario == "handshakes";
  }
  if (load.scenario == Scenario::kIdle) load.active = 8;
  if (load.scenario == Scenario::kChurn) load.sources = 16;
  if (load.scenario == Scenario::kHttp) load.bytes = 0;
  if (load.scenario == Scenario::kStream) {
    load.bytes = 64 << 10;
    load.depth = 16;
  }
  return Table(options).build();
}

tr::Result<tr::Done> complete(BenchOptions& options) {
  load::LoadOptions& load = options.run.load;
  const auto given = [&options](const char* name) { return options.given.contains(name); };
  const bool has_depth = load.scenario != Scenario::kChurn && load.scenario != Scenario::kScript &&
                         load.scenario != Scenario::kHttp;
  options.endpoint = options.url;
  if (load.scenario == Scenario::kHttp || load.scenario == Scenario::kWebSocket) {
    const auto completed = complete_web(options);
    if (!completed) return completed;
  }
  if (load.one_way) {
    if (given("--depth")) return usage("--depth needs replies: --direction up has none");
    load.depth = 1;
  }
  if (load.active > load.connections) {
    if (given("--active")) return usage("--active is at most --connections");
    load.active = load.connections;
  }
  const uint32_t active = load.active == 0 ? load.connections : load.active;
  if (options.run.threads > active) {
    return usage("--threads is at most the number of connections that send, here " +
                 std::to_string(active));
  }
  if (given("--block-time") && !given("--block")) {
    return usage("--block-time without --block: no request would ask for it");
  }
  if (load.framing.kind == load::Framing::Kind::kFixed) {
    if (given("--bytes") && load.bytes != load.framing.number) {
      return usage("--bytes and --codec fixed:N contradict each other");
    }
    load.bytes = load.framing.number;
  }
  const std::string refusal = load::refusal_of(load.framing, load.bytes);
  if (!refusal.empty()) return usage("--bytes: " + refusal);
  if (load.rate > 0 && has_depth && !load.one_way && !given("--depth")) {
    load.depth = std::clamp(kInFlightMax / active, 1u, 64u);
  }
  // Each connection remembers every request in flight.
  if (uint64_t{load.depth} * active > kInFlightMax) {
    return usage("--depth is at most " + std::to_string(std::max(kInFlightMax / active, 1u)) +
                 " with " + std::to_string(active) + " connections that send");
  }
  if (load.scenario == Scenario::kScript) {
    if (options.script.empty()) return usage("--script FILE is needed");
    auto script = load::read_script(options.script);
    if (!script) return script.error();
    if (load.rate > 0 && script.value().pauses()) {
      return usage("--rate: a script with a pause has a rhythm of its own");
    }
    load.script = std::make_shared<const load::Script>(std::move(script.value()));
  }
  return tr::Done{};
}

tr::Result<tr::Done> check_endpoint(BenchOptions& options, const load::Endpoint& server) {
  load::LoadOptions& load = options.run.load;
  const tr::Result<tr::Done> tls = check_tls(options, server);
  if (!tls) return tls;
  if (!server.is_loopback4()) {
    if (options.given.contains("--sources") && load.sources > 1) {
      return usage("--sources needs a URL on 127.0.0.0/8: only there is every address ours");
    }
    load.sources = 1;
  } else if (!options.given.contains("--sources")) {
    // An address has 28,000 ports, and the kernel takes long to find one when half are in use.
    load.sources = std::max(load.sources, std::min(1 + load.connections / 5000, load::kSourcesMax));
  }
  if (!load.congestion.empty()) {
    if (!server.is_tcp()) return usage("--congestion needs tcp: a unix socket has none");
    const std::string problem = load::check_congestion(load.congestion);
    if (!problem.empty()) return usage("--congestion: " + problem);
  }
  return tr::Done{};
}

}  // namespace bench
