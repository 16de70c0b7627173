// cpu_gaps: how often, and for how long, this machine takes a CPU from a thread that never gives it
// up. One thread on each CPU, all at once, does nothing but read the clock; a step between two
// readings is a gap. Ticks, other programs and the host of a virtual machine make them. A request
// that meets one is late by it, whoever serves it: so the gaps are the least tail there can be.
#include <sched.h>

#include <cstdio>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "load/clocks.h"
#include "load/histogram.h"
#include "support/arguments.h"
#include "support/server_process.h"

namespace bench { namespace {

constexpr char kHelp[] =
    "cpu_gaps [option]...\n"
    "\n"
    "  --seconds S   to look (1)\n"
    "  --least-us U  shorter steps of the clock are none (5)\n";

struct Gaps {
  bool pinned = false;
  double seconds = 0;
  int64_t lost_ns = 0;
  load::Histogram lengths;
};

// Those that the process may use.
std::vector<int> own_cpus() {
  cpu_set_t set;
  CPU_ZERO(&set);
  sched_getaffinity(0, sizeof set, &set);
  std::vector<int> cpus;
  for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu)
    if (CPU_ISSET(cpu, &set)) cpus.push_back(cpu);
  return cpus;
}

void look(int cpu, int64_t duration_ns, int64_t least_ns, Gaps& gaps) {
  gaps.pinned = pin(0, cpu);
  if (!gaps.pinned) return;
  const int64_t start = load::now_ns();
  int64_t last = start;
  while (last - start < duration_ns) {
    const int64_t now = load::now_ns();
    if (now - last >= least_ns) {
      gaps.lengths.add(now - last);
      gaps.lost_ns += now - last;
    }
    last = now;
  }
  gaps.seconds = load::seconds_of(last - start);
}

void print(int cpu, const Gaps& gaps) {
  const auto microseconds = [&](double fraction) {
    return static_cast<double>(gaps.lengths.percentile(fraction)) / 1000;
  };
  std::printf(
      "{\"cpu\": %d, \"per_second\": %.0f, \"share\": %.4f, \"p50_us\": %.1f, "
      "\"p99_us\": %.1f, \"max_us\": %.1f}\n",
      cpu, static_cast<double>(gaps.lengths.count()) / gaps.seconds,
      load::seconds_of(gaps.lost_ns) / gaps.seconds, microseconds(0.5), microseconds(0.99),
      static_cast<double>(gaps.lengths.max()) / 1000);
}

int main_of(int argc, char** argv) {
  Arguments arguments(argc, argv);
  if (arguments.flag("--help")) {
    std::printf("%s", kHelp);
    return 0;
  }
  const double seconds = arguments.number("--seconds", 1, 0.01, 600);
  const double least_us = arguments.number("--least-us", 5, 0, 1e6);
  if (!arguments.words().empty()) fail_usage("cpu_gaps takes options only");
  const std::vector<int> cpus = own_cpus();
  std::vector<Gaps> of_cpu(cpus.size());
  std::vector<std::thread> threads;
  for (size_t i = 0; i < cpus.size(); ++i)
    threads.emplace_back(look, cpus[i], static_cast<int64_t>(seconds * 1e9),
                         static_cast<int64_t>(least_us * 1e3), std::ref(of_cpu[i]));
  for (std::thread& thread : threads) thread.join();
  for (size_t i = 0; i < cpus.size(); ++i)
    if (of_cpu[i].pinned) print(cpus[i], of_cpu[i]);
  return 0;
}

}  // namespace
}  // namespace bench

int main(int argc, char** argv) { return bench::main_of(argc, argv); }
