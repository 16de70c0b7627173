// latency_timer: two servers under the same load in alternating slices, A B B A; what is told of
// each slice is how many requests were answered and how long they took. For loads whose cost means
// little: a fixed rate, or handlers that block. Every slice opens connections of its own, so that
// the schedule of a fixed rate begins anew. All slices go to standard output as JSON. Exit as
// ab_timer.
#include <algorithm>
#include <cinttypes>
#include <cstdio>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "ab/family.h"
#include "latency/both_ends.h"
#include "load/clocks.h"
#include "load/endpoint.h"
#include "load/json.h"
#include "load/load.h"
#include "support/arguments.h"
#include "support/load_options.h"
#include "support/server_process.h"

namespace bench { namespace {

constexpr char kHelp[] =
    "latency_timer --a COMMAND --b COMMAND [option]...\n"
    "\n"
    "A COMMAND starts a server that prints `listening on URL`; it is ended afterwards.\n"
    "`both-ends` in place of one: the timer's thread is both ends of its one connection, which is\n"
    "the least that the kernel takes for a request (echo, depth 1).\n"
    "\n"
    "  --scenario NAME   echo, lines or churn (echo)\n"
    "  --rate R          requests a second in all, latency from when each was due (closed loop)\n"
    "  --seconds S       of slices (8)\n"
    "  --slice-ms N      length of a slice (500)\n"
    "  --warmup-ms N     before each, not counted (200)\n"
    "  --warmup-slices N the first ones, not counted (2)\n"
    "  --server-cpu N    pin both servers (not pinned)\n"
    "  --load-cpu N      pin the load (not pinned)\n";

constexpr char kBothEnds[] = "both-ends";

struct Setting {
  std::string scenario;
  double seconds = 8;
  int64_t slice_ns = 0;
  int64_t warmup_ns = 0;
  int warmup_slices = 2;
  int server_cpu = -1;
  int load_cpu = -1;
  load::LoadOptions load;
};

struct LatencySlice {
  char side = 'A';
  double seconds = 0;
  int64_t server_cpu_ns = 0;
  uint64_t context_switches = 0;
  uint64_t usage_requests = 0;  // answered meanwhile: with the warm-up's last part and the drain
  load::Tally tally;
};

Setting take_setting(Arguments& arguments) {
  Setting setting;
  setting.scenario = arguments.text("--scenario", "echo");
  setting.seconds = arguments.number("--seconds", 8, 0.4, 3600);
  setting.slice_ns =
      static_cast<int64_t>(arguments.number("--slice-ms", 500, 10, 60'000)) * 1'000'000;
  setting.warmup_ns =
      static_cast<int64_t>(arguments.number("--warmup-ms", 200, 0, 60'000)) * 1'000'000;
  setting.warmup_slices = static_cast<int>(arguments.number("--warmup-slices", 2, 0, 1000));
  setting.server_cpu = static_cast<int>(arguments.number("--server-cpu", -1, 0, 1023));
  setting.load_cpu = static_cast<int>(arguments.number("--load-cpu", -1, 0, 1023));
  setting.load = take_load_options(arguments, setting.scenario);
  return setting;
}

std::optional<LatencySlice> run_slice(const Setting& setting, char side,
                                      const ServerProcess& server) {
  const auto address = load::resolve_url(server.url());
  if (!address) return std::nullopt;
  load::Load load(address.value(), setting.load);
  if (!load.connect_all()) return std::nullopt;
  // Looking at the server takes as long as 20 requests of a fixed rate last, which would then be
  // late: 1 % of a slice. So it is done before the warm-up's last part, and after the drain.
  load.run_until(load::now_ns() + setting.warmup_ns / 2);
  const load::ProcessUsage before = read_family_usage(server.pid());
  const uint64_t requests_before = load.tally().requests;
  load.run_until(load::now_ns() + setting.warmup_ns / 2);
  const uint64_t requests_looked_at = load.tally().requests - requests_before;
  load.restart();
  const int64_t start = load::now_ns();
  load.run_until(start + setting.slice_ns);
  LatencySlice slice{.side = side};
  slice.seconds = static_cast<double>(load::now_ns() - start) / load::kNanosecondsPerSecond;
  const uint64_t in_time = load.tally().requests;
  load.count_unsent();
  load.drain(10 * load::kNanosecondsPerSecond);
  const load::ProcessUsage after = read_family_usage(server.pid());
  slice.server_cpu_ns = after.cpu_ns - before.cpu_ns;
  slice.context_switches = after.context_switches.sum() -
                           std::min(before.context_switches.sum(), after.context_switches.sum());
  // What was answered in time is the rate; the latencies are those of all, the late ones too.
  slice.tally = load.tally();
  slice.usage_requests = requests_looked_at + slice.tally.requests;
  slice.tally.requests = in_time;
  return slice;
}

std::optional<LatencySlice> run_slice_alone(const Setting& setting, char side) {
  const auto ends = BothEnds::open(setting.load.bytes, setting.load.rate);
  if (!ends) return std::nullopt;
  ends->run_until(load::now_ns() + setting.warmup_ns);
  ends->tally().restart();
  const int64_t start = load::now_ns();
  ends->run_until(start + setting.slice_ns);
  LatencySlice slice{.side = side};
  slice.seconds = static_cast<double>(load::now_ns() - start) / load::kNanosecondsPerSecond;
  slice.tally = ends->tally();
  slice.usage_requests = slice.tally.requests;
  return slice;
}

void print_latencies(const char* name, const load::Histogram& latencies) {
  const auto microseconds = [&](double fraction) {
    return static_cast<double>(latencies.percentile(fraction)) / 1000;
  };
  std::printf(", \"%s\": {\"count\": %" PRIu64
              ", \"p50\": %.1f, \"p99\": %.1f, \"p999\": %.1f, \"max\": %.1f}",
              name, latencies.count(), microseconds(0.5), microseconds(0.99), microseconds(0.999),
              static_cast<double>(latencies.max()) / 1000);
}

void print_slice(const LatencySlice& slice) {
  std::printf("    {\"side\": \"%c\", \"requests\": %" PRIu64
              ", \"seconds\": %.6f, \"server_cpu_ns\": %" PRId64 ", \"context_switches\": %" PRIu64
              ", \"usage_requests\": %" PRIu64 ", \"refused\": %" PRIu64 ", \"unsent\": %" PRIu64,
              slice.side, slice.tally.requests, slice.seconds, slice.server_cpu_ns,
              slice.context_switches, slice.usage_requests, slice.tally.refused,
              slice.tally.unsent);
  print_latencies("latency_us", slice.tally.fast);
  print_latencies("blocking_latency_us", slice.tally.blocking);
  std::printf("}");
}

// Null: both ends are the timer's.
int measure(const Setting& setting, const ServerProcess* a, const ServerProcess* b) {
  if (setting.load_cpu >= 0 && !pin(0, setting.load_cpu)) {
    std::fprintf(stderr, "cannot run on CPU %d\n", setting.load_cpu);
    return 1;
  }
  constexpr char kOrder[] = {'A', 'B', 'B', 'A'};
  const double slice_seconds = static_cast<double>(setting.slice_ns) / load::kNanosecondsPerSecond;
  const int counted = 4 * std::max(1, static_cast<int>(setting.seconds / slice_seconds / 4));
  bool good = true;
  const char* separator = "\n";
  std::printf("{\n  \"scenario\": %s, \"connections\": %u, \"depth\": %u, \"rate\": %g,\n",
              load::json_string(setting.scenario).c_str(), setting.load.connections,
              setting.load.depth, setting.load.rate);
  std::printf("  \"block\": %g, \"block_us\": %u,\n  \"slices\": [", setting.load.block_fraction,
              setting.load.block_microseconds);
  for (int i = -setting.warmup_slices; i < counted; ++i) {
    const char side = i < 0 ? (i % 2 == 0 ? 'A' : 'B') : kOrder[i % 4];
    const ServerProcess* server = side == 'A' ? a : b;
    const auto slice =
        server != nullptr ? run_slice(setting, side, *server) : run_slice_alone(setting, side);
    if (!slice || slice->tally.failed()) {
      std::fprintf(stderr, "%c: wrong bytes, broken connections or missing replies\n", side);
      good = false;
      break;
    }
    if (i < 0) continue;
    std::printf("%s", separator);
    print_slice(*slice);
    separator = ",\n";
  }
  std::printf("\n  ]\n}\n");
  return good ? 0 : 1;
}

int main_of(int argc, char** argv) {
  Arguments arguments(argc, argv);
  if (arguments.flag("--help")) {
    std::printf("%s%s", kHelp, kLoadOptionsHelp);
    return 0;
  }
  const Setting setting = take_setting(arguments);
  const std::string a_command = arguments.text("--a", "");
  const std::string b_command = arguments.text("--b", "");
  if (!arguments.words().empty()) fail_usage("latency_timer takes options only");
  if (a_command.empty() || b_command.empty()) fail_usage("--a COMMAND and --b COMMAND are needed");
  load::raise_descriptor_limit();
  const bool a_alone = a_command == kBothEnds, b_alone = b_command == kBothEnds;
  const bool one_at_a_time = setting.load.depth == 1 || setting.load.rate > 0;
  if ((a_alone || b_alone) &&
      (setting.scenario != "echo" || setting.load.connections != 1 || !one_at_a_time))
    fail_usage("both-ends is one connection of echo, with one request at a time");
  const auto start = [&](const std::string& command, bool alone) {
    return alone ? std::nullopt : ServerProcess::start(command, setting.server_cpu);
  };
  const auto a = start(a_command, a_alone);
  if (!a && !a_alone) return 1;
  const auto b = start(b_command, b_alone);
  if (!b && !b_alone) return 1;
  return measure(setting, a ? &*a : nullptr, b ? &*b : nullptr);
}

}  // namespace
}  // namespace bench

int main(int argc, char** argv) { return bench::main_of(argc, argv); }
