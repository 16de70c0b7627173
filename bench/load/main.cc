// trireme_load: loads one server and checks every reply. Progress goes to standard error, the
// result to standard output. Exit: 0; 1 a byte was wrong, a connection broke or a reply is missing;
// 2 a mistake on the command line.
#include <csignal>
#include <cstdio>
#include <cstdlib>

#include "arguments.h"
#include "clocks.h"
#include "endpoint.h"
#include "load.h"
#include "report.h"

namespace bench {
namespace {

constexpr char kHelp[] =
    "trireme_load echo|lines|churn tcp://A.B.C.D:PORT [option]...\n"
    "\n"
    "  echo   messages come back unchanged; lines: \"ID MICROSECONDS\" is answered \"ID\";\n"
    "  churn  connect, one message of echo, close\n"
    "\n"
    "  --seconds S       measure for so long (5), after\n"
    "  --warmup S        (1)\n"
    "  --rate R          requests a second in all, latency from when each was due (closed loop)\n";

constexpr char kMoreHelp[] =
    "  --pid PID         the server: report its CPU, context switches, memory, threads\n"
    "  --json            the result as JSON\n";

struct Run {
  Measured measured;
  double warmup_seconds = 0;
  pid_t pid = 0;
};

int64_t nanoseconds(double seconds) {
  return static_cast<int64_t>(seconds * static_cast<double>(kNanosecondsPerSecond));
}

// In steps of a second, each told on standard error.
void run_seconds(Load& load, double seconds, const char* what) {
  const int64_t end = now_ns() + nanoseconds(seconds);
  uint64_t last = load.tally().requests;
  for (int64_t now = now_ns(); now < end && load.alive(); now = now_ns()) {
    load.run_until(std::min(end, now + kNanosecondsPerSecond));
    const uint64_t requests = load.tally().requests;
    const double passed = static_cast<double>(now_ns() - now) / kNanosecondsPerSecond;
    std::fprintf(stderr, "%s: %.0f requests/s\n", what,
                 static_cast<double>(requests - last) / passed);
    last = requests;
  }
}

bool run(Run& run, Load& load) {
  Measured& measured = run.measured;
  if (!load.connect_all()) return false;
  run_seconds(load, run.warmup_seconds, "warm-up");
  // What went wrong while warming up is still wrong.
  Tally counted;
  counted.wrong_bytes = load.tally().wrong_bytes;
  counted.broken = load.tally().broken;
  load.tally() = counted;

  measured.has_server = run.pid > 0;
  if (run.pid > 0) measured.server_before = read_usage(run.pid);
  const int64_t own_before = own_cpu_ns();
  const int64_t start = now_ns();
  run_seconds(load, measured.seconds, "measuring");
  measured.seconds = static_cast<double>(now_ns() - start) / kNanosecondsPerSecond;
  measured.own_cpu_ns = own_cpu_ns() - own_before;
  if (run.pid > 0) measured.server_after = read_usage(run.pid);
  measured.requests = load.tally().requests;
  load.count_unsent();
  load.drain(10 * kNanosecondsPerSecond);
  return true;
}

int main_of(int argc, char** argv) {
  Arguments arguments(argc, argv);
  if (arguments.flag("--help")) {
    std::printf("%s%s%s", kHelp, kLoadOptionsHelp, kMoreHelp);
    return 0;
  }
  if (argc < 2 || argv[1][0] == '-') fail_usage("the scenario comes first: echo, lines or churn");
  const bool json = arguments.flag("--json");
  Run task;
  Measured& measured = task.measured;
  task.warmup_seconds = arguments.number("--warmup", 1, 0, 3600);
  task.pid = static_cast<pid_t>(arguments.number("--pid", 0, 1, 1 << 22));
  measured.seconds = arguments.number("--seconds", 5, 0.01, 86'400);
  measured.scenario = argv[1];
  measured.options = take_load_options(arguments, measured.scenario);
  const std::vector<std::string> words = arguments.words();
  if (words.size() != 2) fail_usage("a scenario and a URL are needed");
  measured.url = words[1];
  const auto server = parse_url(measured.url);
  if (!server) fail_usage("the URL must look like tcp://127.0.0.1:7000");
  if (task.pid > 0 && read_cpu_ns(task.pid) == 0) fail_usage("--pid: no such process");

  raise_descriptor_limit();
  Load load(*server, measured.options);
  if (!run(task, load)) return 1;
  (json ? print_json : print_text)(measured, load.tally());
  return load.tally().failed() ? 1 : 0;
}

}  // namespace
}  // namespace bench

int main(int argc, char** argv) { return bench::main_of(argc, argv); }
