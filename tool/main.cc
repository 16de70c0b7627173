// The command line of `trireme`. Beside command_line.h the only file that knows CLI11.

#include <unistd.h>

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <deque>
#include <iostream>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "load/units.h"
#include "tool/bench/command.h"
#include "tool/bench/options.h"
#include "tool/command_line.h"
#include "tool/serve.h"
#include "tool/start_up.h"
#include "trireme/version.h"
#ifdef TRIREME_HAS_URING
#include "trireme/uring.h"
#endif

namespace {

using load::CountRange;
using tool::NamedDriver;
using tool::ServeOptions;
namespace tr = trireme;

constexpr int kExitFailure = 1;
constexpr int kExitUsage = 2;
constexpr const char* kInFlightMax = "--in-flight-max";

// What is shown of an option.
struct Shown {
  const char* type;
  const char* standard;
  const char* description;
};

// Adds an option whose text `parse` turns into the value of `target`.
template <class T, class Parse>
void add(CLI::App& app, const char* name, T& target, Parse parse, Shown shown) {
  const auto take = [name, &target, parse](const std::string& text) {
    auto parsed = parse(text);
    if (!parsed) throw CLI::ValidationError(name, parsed.error().message);
    target = static_cast<T>(parsed.value());
  };
  app.add_option_function<std::string>(name, take, shown.description)
      ->type_name(shown.type)
      ->default_str(shown.standard);
}

template <class T>
void add_count(CLI::App& app, const char* name, T& target, load::CountRange range, Shown shown) {
  add(
      app, name, target, [range](const auto& text) { return load::parse_count(text, range); },
      shown);
}

template <class T>
using Names = std::vector<std::pair<std::string, T>>;

template <class T>
void add_choice(CLI::App& app, const char* name, T& target, Names<T> names, Shown shown) {
  const auto parse = [names = std::move(names)](const std::string& text) -> tr::Result<T> {
    std::string known;
    for (const auto& [choice, value] : names) {
      if (choice == text) return value;
      known += (known.empty() ? "" : ", ") + choice;
    }
    return tr::Error{tr::Error::Code::kUsage,
                     "expected one of " + known + ", got \"" + text + "\""};
  };
  add(app, name, target, parse, shown);
}

void add_threads(CLI::App& app, ServeOptions& options) {
  // A connection id has 10 bits for its I/O worker.
  add_count(app, "--io-workers", options.server.io_workers, {0, 1'023},
            {"N", "0", "event loops, each with a thread; 0: as many as CPUs are allowed"});
  add_count(app, "--data-workers", options.server.data_workers, {1, 10'000},
            {"N", "32", "handlers that may block at once; their threads start on demand"});
  add_choice<tr::Dispatch>(app, "--dispatch", options.server.dispatch,
                           {{"inline", tr::Dispatch::kInline},
                            {"workers", tr::Dispatch::kWorkers},
                            {"adaptive", tr::Dispatch::kAdaptive}},
                           {"POLICY", "adaptive", "where handlers run: inline, workers, adaptive"});
  add_choice<tr::Accepting>(
      app, "--accepting", options.listen.accepting,
      {{"listener", tr::Accepting::kListener}, {"loops", tr::Accepting::kLoops}},
      {"WHO", "listener", "who accepts: listener, a thread; loops, each by itself (SO_REUSEPORT)"});
  const auto poll_time = [](const std::string& text) {
    return load::parse_duration_in(text, {.max = std::chrono::milliseconds(10)});
  };
  add(app, "--poll-time", options.server.poll_time_max, poll_time,
      {"TIME", "0", "how long threads look for work before they sleep; at most 10ms"});
  Names<NamedDriver> drivers = {{"epoll", {tr::DriverKind::kEpoll}},
                                {"epoll-et", {tr::DriverKind::kEpollEdge}},
                                {"poll", {tr::DriverKind::kPoll}},
                                {"select", {tr::DriverKind::kSelect}}};
#ifdef TRIREME_HAS_URING
  drivers.push_back({"io_uring", {tr::io_uring()}});
  drivers.push_back({"auto", {.uring_where_possible = true}});
  constexpr const char* kDrivers =
      "what event loops wait on: epoll, epoll-et, poll, select, io_uring (handlers start on data "
      "workers under adaptive: no loop changes hands), auto (io_uring where the system has it)";
#else
  constexpr const char* kDrivers = "what event loops wait on: epoll, epoll-et, poll, select";
#endif
  add_choice<NamedDriver>(app, "--driver", options.driver, std::move(drivers),
                          {"DRIVER", "epoll", kDrivers});
}

void add_limits(CLI::App& app, ServeOptions& options) {
  tr::Limits& limits = options.listen.limits;
  add_count(app, kInFlightMax, limits.in_flight_max, {1, 65'536},
            {"N", "64", "requests of one connection at work at once; needs pipelined ordering"});
  add_count(app, "--connections-max", options.server.connections_max, {0, 4'194'303},
            {"N", "0", "open connections; 0: what the limit of descriptors allows"});
  add_count(app, "--connections-per-address-max", options.server.connections_per_address_max,
            {0, 1u << 30}, {"N", "0", "open connections of one client address; 0: no limit"});
  add_count(app, "--address-prefix-bits", options.server.address_prefix_bits, {1, 128},
            {"N", "64", "of an IPv6 address, what counts as one client for that limit"});
  const auto size = [](const std::string& text) -> tr::Result<uint64_t> {
    auto bytes = load::parse_size(text);
    if (bytes && bytes.value() == 0) {
      return tr::Error{tr::Error::Code::kUsage, "expected at least 1 byte"};
    }
    return bytes;
  };
  add(app, "--frame-bytes-max", limits.frame_bytes_max, size,
      {"SIZE", "1MiB", "bytes of one request"});
  add(app, "--buffer-bytes-max", options.server.buffer_bytes_max, load::parse_size,
      {"SIZE", "0",
       "bytes held for all connections together; 0: 256 MiB, or half of what the process may use"});
}

void add_clocks(CLI::App& app, ServeOptions& options) {
  tr::Limits& limits = options.listen.limits;
  add(app, "--idle-timeout", limits.idle_time_max, load::parse_duration,
      {"TIME", "10m", "a connection without traffic is closed; 0: never"});
  add(app, "--first-byte-timeout", limits.first_byte_time_max, load::parse_duration,
      {"TIME", "60s", "the same until the first byte in either direction; 0: only the above"});
  add(app, "--handshake-timeout", limits.handshake_time_max, load::parse_duration,
      {"TIME", "5s", "until the PROXY header is there, for tcp+proxy://; 0: only the others"});
  add(app, "--request-timeout", limits.request_time_max, load::parse_duration,
      {"TIME", "30s", "from the first byte of a request to its last; 0: no limit"});
  add(app, "--write-timeout", limits.write_time_max, load::parse_duration,
      {"TIME", "30s", "a client that takes no byte of a reply is closed; 0: never"});
  add(app, "--handler-timeout", options.listen.handler_time_max, load::parse_duration,
      {"TIME", "0", "a request without an answer gets an error reply; 0: never"});
  add(app, "--drain-timeout", options.server.drain_time_max, load::parse_duration,
      {"TIME", "30s", "what going down in good order may take"});
}

#ifdef TRIREME_HAS_TLS
void add_files(CLI::App& app, const char* name, std::vector<std::string>& target,
               const char* description) {
  app.add_option(name, target, description)->type_name("FILE")->allow_extra_args(false);
}

void add_tls(CLI::App& app, tool::TlsChoice& tls) {
  add_files(app, "--tls-cert", tls.certificates,
            "tls://: a certificate and its chain, in PEM; repeat for more names, the first is for "
            "clients that name none");
  add_files(app, "--tls-key", tls.keys, "its key; none: the key is in the file of the certificate");
  app.add_option("--tls-client-ca", tls.client_authorities, "authorities of clients' certificates")
      ->type_name("FILE");
  add_choice<std::string>(
      app, "--tls-client", tls.clients,
      {{"off", "off"}, {"wanted", "wanted"}, {"required", "required"}},
      {"WHETHER", "off", "certificates of clients: off; wanted, none is fine; required"});
  app.add_option("--tls-ticket-keys", tls.ticket_keys,
                 "keys of session tickets, shared by processes; none: keys of this process")
      ->type_name("FILE");
  app.add_option("--tls-alpn", tls.protocols, "application protocols, the preferred one first")
      ->type_name("A,B");
  add(app, "--tls-handshake-timeout", tls.handshake_time_max, load::parse_duration,
      {"TIME", "5s", "until the handshake is done; not given: as --handshake-timeout"});
}
#endif

void add_serve_options(CLI::App& app, ServeOptions& options, bool is_collect) {
  app.add_option("--listen", options.urls, "where to listen; repeat for more")
      ->type_name("URL")
      ->default_str("tcp://127.0.0.1:7000")
      ->allow_extra_args(false);
  if (is_collect) {
    app.add_option("--db", options.database,
                   "file of the database, made if it is not there; or postgres://..., mysql://...")
        ->type_name("FILE")
        ->required();
    const auto size = [](const std::string& text) -> tr::Result<uint64_t> {
      auto bytes = load::parse_size(text);
      if (bytes && bytes.value() < 1 << 20) {
        return tr::Error{tr::Error::Code::kUsage, "expected at least 1MiB"};
      }
      return bytes;
    };
    add(app, "--wal-bytes-max", options.database_log_bytes_max, size,
        {"SIZE", "1GiB", "of the database's write-ahead log; rows are refused beyond"});
  }
  app.add_option("--proxy-from", options.listen.proxy_from,
                 "whose PROXY header counts behind tcp+proxy://; repeat for more")
      ->type_name("CIDR")
      ->default_str("loopback")
      ->allow_extra_args(false);
#ifdef TRIREME_HAS_TLS
  add_tls(app, options.tls);
#endif
  add_threads(app, options);
  add_choice<tr::Ordering>(
      app, "--ordering", options.listen.ordering,
      {{"serial", tr::Ordering::kSerial}, {"pipelined", tr::Ordering::kPipelined}},
      {"ORDER", is_collect ? "pipelined" : "serial",
       "requests of one connection: serial, or pipelined (several at once, answered in order)"});
  add_limits(app, options);
  add_clocks(app, options);
  add_choice<tr::LogLevel>(app, "--log-level", options.server.log_level,
                           {{"debug", tr::LogLevel::kDebug},
                            {"info", tr::LogLevel::kInfo},
                            {"warning", tr::LogLevel::kWarning},
                            {"error", tr::LogLevel::kError}},
                           {"LEVEL", "info", "debug, info, warning, error"});
}

#ifdef TRIREME_HAS_HTTP
void add_root(CLI::App& app, ServeOptions& options) {
  CLI::Option* const root =
      app.add_option("--root", options.root, "the folder whose files are served")->type_name("DIR");
  if (options.service != "files") return;
  root->required();
  app.add_option("--index", options.index, "what a folder is answered with; empty: nothing")
      ->type_name("FILE")
      ->default_str("index.html");
  app.add_flag("--list", options.lists_folders, "a folder without that file: a page of its names");
  app.add_flag("--follow-links", options.follows_links,
               "symbolic links are followed, as long as they stay below the folder");
}

void add_admin(CLI::App& app, ServeOptions& options) {
  app.add_option("--admin", options.admin,
                 "numbers for people and Prometheus, over HTTP: tcp://127.0.0.1:9000, unix:/path")
      ->type_name("URL");
  app.add_flag("--admin-public", options.admin_is_public,
               "the admin endpoint may have another address than the loopback");
}
#endif

// Adds `serve NAME`; `options` is what its command line says, once parsed.
void add_service(CLI::App& serve, const char* name, const char* description,
                 ServeOptions& options) {
  const bool is_collect = std::string(name) == "collect";
  CLI::App* const app = serve.add_subcommand(name, description);
  options.service = name;
  if (is_collect) options.listen.ordering = tr::Ordering::kPipelined;
  add_serve_options(*app, options, is_collect);
#ifdef TRIREME_HAS_HTTP
  add_admin(*app, options);
  if (options.service == "files" || options.service == "hello") add_root(*app, options);
#endif
  app->final_callback([app, &options] {
    if (options.urls.empty()) options.urls.emplace_back("tcp://127.0.0.1:7000");
    if (options.listen.ordering == tr::Ordering::kSerial && app->count(kInFlightMax) > 0) {
      throw CLI::ValidationError(kInFlightMax, "needs --ordering pipelined");
    }
  });
}

int fail(const std::string& sentence) {
  std::fprintf(stderr, "trireme: %s\n", tool::one_line(sentence).c_str());
  return kExitUsage;
}

std::shared_ptr<tool::HelpFormatter> formatter_for(const char* subcommand) {
  // Its own for each command: a label is for all that a formatter has.
  const auto formatter = std::make_shared<tool::HelpFormatter>(tool::columns_of(STDOUT_FILENO));
  formatter->label("SUBCOMMAND", subcommand);
  return formatter;
}

// Adds `bench NAME`; `options` is what its command line says, once parsed.
void add_scenario(CLI::App& command, const bench::ScenarioHelp& help,
                  bench::BenchOptions& options) {
  CLI::App* const app = command.add_subcommand(help.name, help.description);
  app->group("Scenarios");
  options.scenario = help.name;
  app->footer("\n" + bench::help_below(help.name));
  app->add_option("URL", options.url, bench::url_forms(help.name))->required()->type_name("");
  for (const bench::Option& option : bench::option_table(options)) {
    const auto take = [option](const std::string& text) {
      const auto taken = option.take(text);
      if (!taken) throw CLI::ValidationError(option.name, taken.error().message);
    };
    CLI::Option* added = nullptr;
    if (option.type[0] == '\0') {
      added = app->add_flag_callback(
          option.name, [take] { take(""); }, option.description);
      added->disable_flag_override();
    } else if (option.repeats) {
      const auto take_all = [take](const std::vector<std::string>& texts) {
        for (const std::string& text : texts) take(text);
      };
      added = app->add_option_function<std::vector<std::string>>(option.name, take_all,
                                                                 option.description)
                  ->type_name(option.type)
                  ->allow_extra_args(false);
    } else {
      added = app->add_option_function<std::string>(option.name, take, option.description)
                  ->type_name(option.type)
                  ->default_str(option.standard);
    }
    added->group(option.group);
  }
}

// `all` keeps the options of every scenario where they are.
CLI::App* add_bench(CLI::App& app, std::deque<bench::BenchOptions>& all) {
  CLI::App* const command = app.add_subcommand("bench", bench::help_above(""));
  command->require_subcommand(0, 1);
  command->formatter(formatter_for("SCENARIO URL"));
  command->footer("\n" + bench::help_below(""));
  for (const bench::ScenarioHelp& help : bench::scenarios()) {
    add_scenario(*command, help, all.emplace_back());
  }
  return command;
}

int run_bench(const CLI::App& command, std::deque<bench::BenchOptions>& all) {
  std::string known;
  for (bench::BenchOptions& options : all) {
    if (command.got_subcommand(options.scenario)) return bench::run_command(std::move(options));
    known += (known.empty() ? "" : ", ") + options.scenario;
  }
  return fail("expected a scenario: " + known + " (try `trireme bench --help`)");
}

}  // namespace

int main(int argc, char** argv) {
  // A load that has measured nothing has failed; a server that has served nobody has not.
  tool::start_up(argc > 1 && std::string_view(argv[1]) == "bench" ? 1 : 0);
  CLI::App app("Trireme, a TCP server whose handlers may block", "trireme");
  app.formatter(formatter_for("COMMAND"));
  app.set_version_flag("--version", "trireme " TRIREME_VERSION_STRING);
  app.require_subcommand(0, 1);  // a missing one is said below, in our words
  CLI::App* const serve = app.add_subcommand("serve", "serve until SIGTERM or SIGINT");
  serve->require_subcommand(0, 1);
  serve->formatter(formatter_for("SERVICE"));
  ServeOptions echo, lines, discard, delay, collect;
  std::vector<ServeOptions*> services = {&echo, &lines, &discard, &delay, &collect};
  add_service(*serve, "echo", "sends every byte back", echo);
  add_service(*serve, "lines", "sends every line back; answers PEER with who the client is", lines);
  add_service(*serve, "discard", "takes every byte, answers nothing", discard);
  add_service(*serve, "delay", "answers ID to `ID MICROSECONDS` after that time", delay);
  add_service(*serve, "collect", "keeps readings of devices in a SQLite file", collect);
  std::string known = "echo, lines, discard, delay or collect";
#ifdef TRIREME_HAS_HTTP
  ServeOptions hello, files;
  services.insert(services.end(), {&hello, &files});
  add_service(*serve, "hello", "HTTP: / /echo /delay/MICROSECONDS /events /ws", hello);
  add_service(*serve, "files", "HTTP: the files of a folder", files);
  known = "echo, lines, discard, delay, collect, hello or files";
#endif
  std::deque<bench::BenchOptions> loads;
  CLI::App* const load = add_bench(app, loads);
  try {
    app.parse(argc, argv);
  } catch (const CLI::Success& asked) {  // --help, --version
    const int status = app.exit(asked);
    if (std::cout.flush()) return status;
    std::perror("trireme: cannot write the help");
    return kExitFailure;
  } catch (const CLI::Error& error) {
    return fail(tool::UsageError(app, error).sentence());
  }
  if (load->parsed()) return run_bench(*load, loads);
  if (!serve->parsed()) return fail("expected a command: serve or bench (try `trireme --help`)");
  for (ServeOptions* const options : services) {
    if (serve->got_subcommand(options->service)) return tool::serve(std::move(*options));
  }
  return fail("expected a service: " + known + " (try `trireme serve --help`)");
}
