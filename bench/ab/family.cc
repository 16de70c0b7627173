#include "family.h"

#include <cstdio>
#include <string>
#include <vector>

namespace bench {
namespace {

std::vector<pid_t> children_of(pid_t pid) {
  const std::string name = std::to_string(pid);
  const std::string path = "/proc/" + name + "/task/" + name + "/children";
  std::vector<pid_t> children;
  FILE* file = std::fopen(path.c_str(), "re");
  if (file == nullptr) return children;
  pid_t child = 0;
  while (std::fscanf(file, "%d", &child) == 1) children.push_back(child);
  std::fclose(file);
  return children;
}

}  // namespace

load::ProcessUsage read_family_usage(pid_t pid) {
  load::ProcessUsage sum = load::read_usage(pid);
  for (const pid_t child : children_of(pid)) {
    const load::ProcessUsage usage = load::read_usage(child);
    sum.cpu_ns += usage.cpu_ns;
    sum.context_switches.voluntary += usage.context_switches.voluntary;
    sum.context_switches.involuntary += usage.context_switches.involuntary;
    sum.resident_bytes += usage.resident_bytes;
    sum.threads += usage.threads;
  }
  return sum;
}

int64_t wait_settled_family_cpu_ns(pid_t pid) {
  int64_t sum = load::wait_settled_cpu_ns(pid);
  for (const pid_t child : children_of(pid)) sum += load::read_cpu_ns(child);
  return sum;
}

}  // namespace bench
