// ab_timer: how much more (or less) does a request cost server B than server A? The result goes to
// standard output as lines `name value`, every slice to the file of --out as JSON. Exit: 0; 1 a
// reply was wrong or missing, a connection broke, a server did not start; 2 a mistake on the
// command line.
#include <signal.h>

#include <algorithm>
#include <cinttypes>
#include <cstdio>
#include <cstdlib>

#include "congestion.h"
#include "load/endpoint.h"
#include "load/json.h"
#include "slices.h"
#include "statistics.h"
#include "support/arguments.h"
#include "support/load_options.h"

namespace bench { namespace {

constexpr char kHelp[] =
    "ab_timer --a COMMAND --b COMMAND [option]...\n"
    "ab_timer --a-url URL --a-pid PID --b-url URL --b-pid PID [option]...\n"
    "\n"
    "A COMMAND starts a server that prints `listening on URL`; it is ended afterwards.\n"
    "\n"
    "  --scenario NAME   echo, lines or churn (echo)\n"
    "  --seconds S       of slices (12)\n"
    "  --slice-ms N      length of a slice (100)\n"
    "  --warmup-slices N not counted (8)\n"
    "  --server-cpu N    pin both servers that are started (not pinned)\n"
    "  --load-cpu N      pin the load (not pinned)\n"
    "  --renew 1         each slice has connections of its own, that have carried load before (0)\n"
    "  --congestion NAME congestion control of all sockets, at both ends (the machine's default)\n"
    "  --out FILE        all slices as JSON\n";

struct Figures {
  double requests_per_second = 0;  // median of slices
  double server_cpu_us = 0;        // per request, of all slices together
  double load_cpu_us = 0;
  double context_switches = 0;
};

Figures figures_of(const Result& result, char side) {
  std::vector<double> rates;
  Slice sum;
  for (const Slice& slice : result.slices) {
    if (slice.side != side) continue;
    rates.push_back(static_cast<double>(slice.requests) / slice.seconds);
    sum.requests += slice.requests;
    sum.server_cpu_ns += slice.server_cpu_ns;
    sum.load_cpu_ns += slice.load_cpu_ns;
    sum.context_switches += slice.context_switches;
  }
  const auto requests = static_cast<double>(std::max<uint64_t>(sum.requests, 1));
  return {.requests_per_second = median(rates),
          .server_cpu_us = static_cast<double>(sum.server_cpu_ns) / requests / 1000,
          .load_cpu_us = static_cast<double>(sum.load_cpu_ns) / requests / 1000,
          .context_switches = static_cast<double>(sum.context_switches) / requests};
}

void print_side(const char* name, const Figures& figures) {
  std::printf("%s_requests_per_second %.0f\n", name, figures.requests_per_second);
  std::printf("%s_server_cpu_us %.3f\n", name, figures.server_cpu_us);
  std::printf("%s_load_cpu_us %.3f\n", name, figures.load_cpu_us);
  std::printf("%s_context_switches %.4f\n", name, figures.context_switches);
}

struct Setting {
  std::string scenario;
  std::string out;
  std::string congestion;
  double seconds = 12;
  int slice_ms = 100;
  int warmup_slices = 8;
  int server_cpu = -1;
  int load_cpu = -1;
  bool renew = false;
  load::LoadOptions load;
};

bool write_slices(const Setting& setting, const Side& a, const Side& b, const Result& result) {
  FILE* file = std::fopen(setting.out.c_str(), "we");
  if (file == nullptr) return false;
  const Interval interval = bootstrap_median(result.ratios);
  std::fprintf(file, "{\n  \"a\": {\"command\": %s, \"url\": %s},\n",
               load::json_string(a.command()).c_str(), load::json_string(a.url()).c_str());
  std::fprintf(file, "  \"b\": {\"command\": %s, \"url\": %s},\n",
               load::json_string(b.command()).c_str(), load::json_string(b.url()).c_str());
  std::fprintf(file,
               "  \"scenario\": %s, \"connections\": %u, \"depth\": %u, \"bytes\": %" PRIu64
               ", \"block\": %g, \"block_us\": %u,\n",
               load::json_string(setting.scenario).c_str(), setting.load.connections,
               setting.load.depth, setting.load.bytes, setting.load.block_fraction,
               setting.load.block_microseconds);
  std::fprintf(file, "  \"slice_ms\": %d, \"server_cpu\": %d, \"load_cpu\": %d,\n",
               setting.slice_ms, setting.server_cpu, setting.load_cpu);
  std::fprintf(file, "  \"ratio\": %.5f, \"ratio_low\": %.5f, \"ratio_high\": %.5f,\n",
               median(result.ratios), interval.low, interval.high);
  std::fprintf(file, "  \"slices\": [");
  const char* separator = "\n";
  for (const Slice& slice : result.slices) {
    std::fprintf(file,
                 "%s    {\"side\": \"%c\", \"requests\": %" PRIu64
                 ", \"seconds\": %.6f, \"server_cpu_ns\": %" PRId64 ", \"load_cpu_ns\": %" PRId64
                 ", \"context_switches\": %" PRIu64 ", \"cost\": %.5f}",
                 separator, slice.side, slice.requests, slice.seconds, slice.server_cpu_ns,
                 slice.load_cpu_ns, slice.context_switches, slice.cost());
    separator = ",\n";
  }
  std::fprintf(file, "\n  ]\n}\n");
  return std::fclose(file) == 0;
}

// False: something was wrong on this side.
bool check(const char* name, const load::Tally& tally) {
  if (!tally.failed()) return true;
  std::fprintf(stderr,
               "%s: %" PRIu64 " wrong bytes, %" PRIu64 " broken connections, %" PRIu64
               " unanswered; %s\n",
               name, tally.wrong_bytes, tally.broken, tally.unanswered, tally.problem.c_str());
  return false;
}

Setting take_setting(Arguments& arguments) {
  Setting setting;
  setting.scenario = arguments.text("--scenario", "echo");
  setting.out = arguments.text("--out", "");
  setting.congestion = arguments.text("--congestion", "");
  setting.seconds = arguments.number("--seconds", 12, 0.4, 3600);
  setting.slice_ms = static_cast<int>(arguments.number("--slice-ms", 100, 1, 10'000));
  setting.warmup_slices = static_cast<int>(arguments.number("--warmup-slices", 8, 0, 1000));
  setting.server_cpu = static_cast<int>(arguments.number("--server-cpu", -1, 0, 1023));
  setting.load_cpu = static_cast<int>(arguments.number("--load-cpu", -1, 0, 1023));
  setting.renew = arguments.number("--renew", 0, 0, 1) > 0;
  setting.load = take_load_options(arguments, setting.scenario);
  setting.load.congestion = setting.congestion;
  if (setting.load.rate > 0) fail_usage("ab_timer has no --rate: its slices are closed loops");
  return setting;
}

Side take_side(Arguments& arguments, char name, int server_cpu) {
  const std::string prefix = std::string("--") + static_cast<char>(name - 'A' + 'a');
  const std::string command = arguments.text(prefix, "");
  const std::string url = arguments.text(prefix + "-url", "");
  const auto pid = static_cast<pid_t>(arguments.number(prefix + "-pid", 0, 1, 1 << 22));
  if (command.empty() == (url.empty() || pid == 0)) {
    fail_usage(prefix + " COMMAND, or " + prefix + "-url and " + prefix + "-pid, is needed");
  }
  return {name, command, server_cpu, url, pid};
}

// Before connecting for what the servers will accept, after it for all that there is.
bool set_all_congestion(const Setting& setting, const Side& a, const Side& b) {
  if (setting.congestion.empty()) return true;
  return set_congestion(a.pid(), setting.congestion) &&
         set_congestion(b.pid(), setting.congestion) && set_congestion(0, setting.congestion);
}

int measure(const Setting& setting, Side& a, Side& b) {
  if (setting.load_cpu >= 0 && !pin(0, setting.load_cpu)) {
    std::fprintf(stderr, "cannot run on CPU %d\n", setting.load_cpu);
    return 1;
  }
  if (!set_all_congestion(setting, a, b)) return 1;
  if (!a.connect(setting.load) || !b.connect(setting.load)) return 1;
  if (!set_all_congestion(setting, a, b)) return 1;
  if (setting.renew) a.renew_connections(), b.renew_connections();
  const int quadruples = std::max(1, static_cast<int>(setting.seconds * 250 / setting.slice_ms));
  const Result result =
      run_slices(a, b, quadruples, int64_t{setting.slice_ms} * 1'000'000, setting.warmup_slices);
  const Interval interval = bootstrap_median(result.ratios);
  std::printf("ratio %.4f\nratio_low %.4f\nratio_high %.4f\nquadruples %zu\n",
              median(result.ratios), interval.low, interval.high, result.ratios.size());
  print_side("a", figures_of(result, 'A'));
  print_side("b", figures_of(result, 'B'));
  bool good = check("A", a.tally());
  good = check("B", b.tally()) && good;
  if (!setting.out.empty() && !write_slices(setting, a, b, result)) {
    std::perror(setting.out.c_str());
    good = false;
  }
  return good ? 0 : 1;
}

int main_of(int argc, char** argv) {
  Arguments arguments(argc, argv);
  if (arguments.flag("--help")) {
    std::printf("%s%s", kHelp, kLoadOptionsHelp);
    return 0;
  }
  const Setting setting = take_setting(arguments);
  load::raise_descriptor_limit();
  ::signal(SIGPIPE, SIG_IGN);  // OpenSSL writes to sockets as to files
  Side a = take_side(arguments, 'A', setting.server_cpu);
  Side b = take_side(arguments, 'B', setting.server_cpu);
  if (!arguments.words().empty()) fail_usage("ab_timer takes options only");
  return measure(setting, a, b);
}

}  // namespace
}  // namespace bench

int main(int argc, char** argv) { return bench::main_of(argc, argv); }
