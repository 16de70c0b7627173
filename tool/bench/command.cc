#include "tool/bench/command.h"

#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <fstream>
#include <string>

#include "tool/bench/plot.h"
#include "tool/bench/report.h"

namespace bench {
namespace {

constexpr int kExitFailure = 1;
constexpr int kExitUsage = 2;
constexpr uint32_t kOwnDescriptors = 32;  // epoll sets, /proc, standard streams, what we inherited

// A signal handler reaches nothing but globals.
std::atomic<int> interrupts{0};

void count_interrupt(int) { ++interrupts; }

int fail(int status, const std::string& sentence) {
  std::fprintf(stderr, "trireme: %s%s\n", sentence.c_str(),
               status == kExitUsage ? " (try --help)" : "");
  return status;
}

int fail(const tr::Error& error) {
  return fail(error.code == tr::Error::Code::kUsage ? kExitUsage : kExitFailure, error.message);
}

// One line on a terminal that is written over and over.
class ProgressLine {
 public:
  ProgressLine(const RunOptions& options, bool shown) : options_(options), shown_(shown) {}

  void show(const Progress& progress) {
    if (!shown_) return;
    char text[160];
    const auto rate = progress.report_seconds > 0
                          ? static_cast<double>(progress.requests) / progress.report_seconds
                          : 0;
    const std::string requests = show_count(static_cast<uint64_t>(rate));
    switch (progress.phase) {
      case Progress::Phase::kConnecting:
        std::snprintf(text, sizeof text, "connecting: %s of %s",
                      show_count(progress.connected).c_str(),
                      show_count(options_.load.connections).c_str());
        break;
      case Progress::Phase::kWarmingUp:
        std::snprintf(text, sizeof text, "warming up: %s requests/s", requests.c_str());
        break;
      case Progress::Phase::kMeasuring:
        std::snprintf(text, sizeof text, "measuring, %.0f of %.0f s: %s requests/s",
                      progress.seconds, std::chrono::duration<double>(options_.duration).count(),
                      requests.c_str());
        break;
      case Progress::Phase::kDraining:
        std::snprintf(text, sizeof text, "waiting for the last replies, %.0f s", progress.seconds);
        break;
    }
    std::fprintf(stderr, "\r%s\x1b[K", text);
  }

  ~ProgressLine() {
    if (shown_) std::fprintf(stderr, "\r\x1b[K");
  }

 private:
  const RunOptions& options_;
  const bool shown_;
};

// Nothing, or why there cannot be so many connections.
std::string check_descriptors(const RunOptions& options) {
  const uint64_t limit = raise_descriptor_limit();
  const uint64_t needed = uint64_t{options.load.connections} + options.threads + kOwnDescriptors;
  if (needed <= limit) return {};
  return std::to_string(options.load.connections) + " connections need " + std::to_string(needed) +
         " descriptors and the hard limit of this process is " + std::to_string(limit) +
         ": raise it (ulimit -Hn), or take fewer, or several processes";
}

bool write_plot(const Subject& subject, const Measured& measured, const std::string& file) {
  std::ofstream stream(file, std::ios::binary | std::ios::trunc);
  stream << plot_of(subject, measured);
  stream.close();
  return !stream.fail();
}

Measured run(const Endpoint& server, const RunOptions& options) {
  struct sigaction action {};
  action.sa_handler = count_interrupt;
  ::sigaction(SIGINT, &action, nullptr);
  ::sigaction(SIGTERM, &action, nullptr);
  ProgressLine line(options, ::isatty(STDERR_FILENO) == 1);
  return run_load(server, options, [&line](const Progress& progress) { line.show(progress); });
}

}  // namespace

int run_command(BenchOptions options) {
  ::signal(SIGPIPE, SIG_IGN);
  const auto completed = complete(options);
  if (!completed) return fail(completed.error());
  const auto server = resolve_url(options.url, options.run.load.connect_time_max);
  if (!server) return fail(server.error());
  const auto checked = check_endpoint(options, server.value());
  if (!checked) return fail(checked.error());
  if (options.run.pid > 0 && read_cpu_ns(options.run.pid) == 0) {
    return fail(kExitUsage, "--pid: there is no process " + std::to_string(options.run.pid));
  }
  // A run of minutes must not end with a file that cannot be written.
  if (!options.plot.empty() && !std::ofstream(options.plot, std::ios::app)) {
    return fail(kExitUsage, "--plot: cannot write " + options.plot);
  }
  const std::string refusal = check_descriptors(options.run);
  if (!refusal.empty()) return fail(kExitFailure, refusal);

  options.run.load.interrupts = &interrupts;
  const Measured measured = run(server.value(), options.run);
  const Subject subject{options.scenario, options.url, options.run};
  const std::string result = options.json ? json_of(subject, measured) : text_of(subject, measured);
  std::fputs(result.c_str(), stdout);
  const bool printed = std::fflush(stdout) == 0;
  if (!options.plot.empty() && !write_plot(subject, measured, options.plot)) {
    return fail(kExitFailure, "cannot write " + options.plot);
  }
  return printed ? exit_status(measured) : kExitFailure;
}

}  // namespace bench
