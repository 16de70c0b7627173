#include "load/process.h"

#include <dirent.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>

#include "load/clocks.h"

namespace load {
namespace {

// Calls `use(name, value)` for each line `name: value` of a status file of /proc.
template <typename Use>
void read_status(const std::string& path, Use use) {
  FILE* file = std::fopen(path.c_str(), "re");
  if (file == nullptr) return;
  char line[256];
  while (std::fgets(line, sizeof line, file) != nullptr) {
    char* colon = std::strchr(line, ':');
    if (colon == nullptr) continue;
    *colon = '\0';
    use(std::string_view(line), std::strtoull(colon + 1, nullptr, 10));
  }
  std::fclose(file);
}

std::string folder_of(pid_t pid) { return "/proc/" + std::to_string(pid); }

// Calls `use(thread, switches)` for each thread that lives.
template <typename Use>
void read_switches(pid_t pid, Use use) {
  const std::string tasks = folder_of(pid) + "/task";
  DIR* folder = opendir(tasks.c_str());
  if (folder == nullptr) return;
  while (const dirent* task = readdir(folder)) {
    if (task->d_name[0] == '.') continue;
    ContextSwitches switches;
    read_status(tasks + "/" + task->d_name + "/status", [&](std::string_view name, uint64_t value) {
      if (name == "voluntary_ctxt_switches") switches.voluntary = value;
      if (name == "nonvoluntary_ctxt_switches") switches.involuntary = value;
    });
    use(static_cast<pid_t>(std::atoi(task->d_name)), switches);
  }
  closedir(folder);
}

void add(ContextSwitches& sum, const ContextSwitches& more) {
  sum.voluntary += more.voluntary;
  sum.involuntary += more.involuntary;
}

}  // namespace

int64_t read_cpu_ns(pid_t pid) {
  clockid_t clock{};
  return clock_getcpuclockid(pid, &clock) == 0 ? read_clock_ns(clock) : 0;
}

int64_t wait_settled_cpu_ns(pid_t pid) {
  // The first pause lets a server that has just sent its last reply get to sleep: while it runs
  // the count stands still too, until the next tick.
  constexpr int64_t kPauseNs = 250'000;
  blocking_sleep_ns(kPauseNs);
  int64_t last = read_cpu_ns(pid);
  for (int i = 0; i < 20; ++i) {
    blocking_sleep_ns(kPauseNs);
    const int64_t now = read_cpu_ns(pid);
    if (now == last) return now;
    last = now;
  }
  return last;
}

ProcessUsage read_usage(pid_t pid) {
  ProcessUsage usage{.cpu_ns = read_cpu_ns(pid)};
  read_status(folder_of(pid) + "/status", [&](std::string_view name, uint64_t value) {
    if (name == "VmRSS") usage.resident_bytes = value * 1024;
    if (name == "Threads") usage.threads = static_cast<uint32_t>(value);
  });
  read_switches(
      pid, [&](pid_t, const ContextSwitches& switches) { add(usage.context_switches, switches); });
  return usage;
}

uint64_t read_resident_bytes(pid_t pid) {
  uint64_t bytes = 0;
  read_status(folder_of(pid) + "/smaps_rollup", [&](std::string_view name, uint64_t value) {
    if (name == "Rss") bytes = value * 1024;
  });
  return bytes > 0 ? bytes : read_usage(pid).resident_bytes;  // not everyone may read the former
}

void SwitchCounter::look() {
  read_switches(pid_, [&](pid_t thread, const ContextSwitches& now) {
    ContextSwitches& last = seen_[thread];
    if (now.sum() < last.sum()) add(ended_, last);
    last = now;
  });
}

ContextSwitches SwitchCounter::count() {
  const ContextSwitches now = sum();
  return {.voluntary = now.voluntary - before_.voluntary,
          .involuntary = now.involuntary - before_.involuntary};
}

ContextSwitches SwitchCounter::sum() {
  look();
  ContextSwitches all = ended_;
  for (const auto& [thread, switches] : seen_) add(all, switches);
  return all;
}

}  // namespace load
