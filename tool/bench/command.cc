#include "tool/bench/command.h"

#include <poll.h>
#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <new>
#include <string>

#include "load/clocks.h"
#include "tool/bench/plot.h"
#include "tool/bench/report.h"
#include "tool/terminal.h"

namespace bench {
namespace {

constexpr int kExitFailure = 1;
constexpr int kExitUsage = 2;
constexpr uint32_t kOwnDescriptors = 32;  // epoll sets, /proc, standard streams, what we inherited

constexpr int64_t kOneWishNs = 1'000'000'000;

// A signal handler reaches nothing but globals.
std::atomic<int> interrupts{0};
std::atomic<int64_t> first_interrupt_ns{0};

// Supervisors and process groups send SIGTERM twice within milliseconds: that is one wish.
void count_interrupt(int number) {
  const int64_t now = load::now_ns();
  if (number == SIGTERM && interrupts > 0 && now - first_interrupt_ns < kOneWishNs) return;
  if (++interrupts == 1) first_interrupt_ns = now;
}

int fail(const std::string& sentence) {
  std::fprintf(stderr, "trireme: %s\n", tool::one_line(sentence).c_str());
  return kExitFailure;
}

// Of the command line: what it does not say, the help does.
int refuse(const BenchOptions& options, const std::string& sentence) {
  fail(sentence + " (try `trireme bench " + options.scenario + " --help`)");
  return kExitUsage;
}

int fail(const BenchOptions& options, const tr::Error& error) {
  return error.code == tr::Error::Code::kUsage ? refuse(options, error.message)
                                               : fail(error.message);
}

// One line on a terminal that is written over and over.
class ProgressLine {
 public:
  ProgressLine(const load::RunOptions& options, bool shown) : options_(options), shown_(shown) {}

  void show(const load::Progress& progress) {
    if (!shown_ || !is_taken()) return;
    // One less: a line that fills the last column would begin the next one.
    const size_t columns = tool::columns_of(STDERR_FILENO) - 1;
    const std::string line = progress_of(options_, progress, columns);
    std::fprintf(stderr, "\r%s\x1b[K", line.c_str());
  }

  ~ProgressLine() {
    if (shown_ && is_taken()) std::fprintf(stderr, "\r\x1b[K");
  }

 private:
  // The terminal takes a line now. One that stands still (Ctrl-S) must not hold up the run.
  static bool is_taken() {
    pollfd terminal{.fd = STDERR_FILENO, .events = POLLOUT, .revents = 0};
    return ::poll(&terminal, 1, 0) == 1 && (terminal.revents & POLLOUT) != 0;
  }

  const load::RunOptions& options_;
  const bool shown_;
};

// Of any thread: there is nothing that a load could give back.
[[noreturn]] void end_without_memory() {
  constexpr char kLine[] = "trireme: out of memory: take fewer connections, or less --depth\n";
  if (::write(STDERR_FILENO, kLine, sizeof kLine - 1) < 0) std::_Exit(kExitFailure);
  std::_Exit(kExitFailure);
}

// Nothing, or why there cannot be so many connections.
std::string check_descriptors(const load::RunOptions& options) {
  const uint64_t limit = load::raise_descriptor_limit();
  const uint64_t needed = uint64_t{options.load.connections} + options.threads + kOwnDescriptors;
  if (needed <= limit) return {};
  return std::to_string(options.load.connections) + " connections need " + std::to_string(needed) +
         " descriptors and the hard limit of this process is " + std::to_string(limit) +
         ": raise it (ulimit -Hn), or take fewer, or several processes";
}

std::string cannot_write(const std::string& what) {
  return "cannot write " + what + ": " + std::strerror(errno);
}

bool write_plot(const Subject& subject, const load::Measured& measured, const std::string& file) {
  std::ofstream stream(file, std::ios::binary | std::ios::trunc);
  stream << plot_of(subject, measured);
  stream.close();
  return !stream.fail();
}

load::Measured run(const load::Endpoint& server, const load::RunOptions& options) {
  struct sigaction action {};
  action.sa_handler = count_interrupt;
  ::sigaction(SIGINT, &action, nullptr);
  ::sigaction(SIGTERM, &action, nullptr);
  ProgressLine line(options, tool::can_redraw(STDERR_FILENO));
  return load::run_load(server, options,
                        [&line](const load::Progress& progress) { line.show(progress); });
}

}  // namespace

int run_command(BenchOptions options) {
  ::signal(SIGPIPE, SIG_IGN);
  std::set_new_handler(end_without_memory);
  const auto completed = complete(options);
  if (!completed) return fail(options, completed.error());
  const auto server = load::resolve_url(options.endpoint, options.run.load.connect_time_max);
  if (!server) return fail(options, server.error());
  const auto checked = check_endpoint(options, server.value());
  if (!checked) return fail(options, checked.error());
  if (options.run.pid > 0 && load::read_cpu_ns(options.run.pid) == 0) {
    return refuse(options, "--pid: there is no process " + std::to_string(options.run.pid));
  }
  // A run of minutes must not end with a file that cannot be written.
  if (!options.plot.empty() && !std::ofstream(options.plot, std::ios::app)) {
    return refuse(options, "--plot: " + cannot_write(options.plot));
  }
  const std::string refusal = check_descriptors(options.run);
  if (!refusal.empty()) return fail(refusal);

  options.run.load.interrupts = &interrupts;
  const load::Measured measured = run(server.value(), options.run);
  const Subject subject{options.scenario, options.url, options.run};
  const size_t columns = ::isatty(STDOUT_FILENO) == 1 ? tool::columns_of(STDOUT_FILENO) : SIZE_MAX;
  const std::string result =
      options.json ? json_of(subject, measured) : text_of(subject, measured, columns);
  int status = exit_status(measured);
  // What is left may wait for whoever reads it: signals are no longer counted, but end it.
  ::signal(SIGINT, SIG_DFL);
  ::signal(SIGTERM, SIG_DFL);
  if (std::fputs(result.c_str(), stdout) < 0 || std::fflush(stdout) != 0) {
    status = fail(cannot_write("the result"));
  }
  if (!options.plot.empty() && !write_plot(subject, measured, options.plot)) {
    status = fail(cannot_write(options.plot));
  }
  return status;
}

}  // namespace bench
