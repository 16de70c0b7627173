#include "runtime/system/real_group.h"

#include <algorithm>
#include <fstream>
#include <optional>
#include <sstream>
#include <vector>

namespace trireme { inline namespace v0 {
namespace {

// No machine has as much: version 1 writes such a number where there is no limit.
constexpr int64_t kNoLimit = int64_t{1} << 60;

// A hierarchy of groups, with our place in it.
struct Hierarchy {
  bool is_version_2 = false;
  std::string controllers;  // version 1: ",memory,"
  std::string mount;        // where it is mounted
  std::string path;         // of our group below that; empty or "/..."
};

// "a,b" as ",a,b,", so that one of them can be found.
std::string listed(const std::string& words) { return "," + words + ","; }

// The path of our group in the hierarchy with one of `controllers`; nothing: we are not in it.
std::optional<std::string> path_of_group(const std::string& root, bool is_version_2,
                                         const std::string& controllers) {
  std::ifstream file(root + "/proc/self/cgroup");
  std::string line;
  while (std::getline(file, line)) {  // number:controllers:path
    const size_t first = line.find(':');
    const size_t second = line.find(':', first + 1);
    if (first == std::string::npos || second == std::string::npos) continue;
    const std::string of_line = line.substr(first + 1, second - first - 1);
    // Among the options of the mount there are others: "seclabel".
    const bool fits = is_version_2 == of_line.empty() &&
                      (is_version_2 || controllers.find(listed(of_line)) != std::string::npos);
    if (fits) return line.substr(second + 1);
  }
  return std::nullopt;
}

// One line of /proc/self/mountinfo; nothing: it mounts no groups, or not where we are.
std::optional<Hierarchy> hierarchy_of(const std::string& root, const std::string& line) {
  std::istringstream fields(line);
  std::string skipped, mounted_group, mount, word, type, options;
  fields >> skipped >> skipped >> skipped >> mounted_group >> mount;
  while (fields >> word && word != "-") {
  }
  fields >> type >> skipped >> options;
  if (!fields || (type != "cgroup" && type != "cgroup2")) return std::nullopt;
  Hierarchy found{.is_version_2 = type == "cgroup2", .controllers = {}, .mount = mount, .path = {}};
  std::string controllers;
  std::istringstream words(options);
  while (std::getline(words, word, ',')) {
    if (word == "rw" || word == "ro" || word.find('=') != std::string::npos) continue;
    controllers += (controllers.empty() ? "" : ",") + word;
  }
  found.controllers = listed(controllers);
  const auto path = path_of_group(root, found.is_version_2, found.controllers);
  if (!path) return std::nullopt;
  // Seen from within a container, what is mounted may be our group or one above it.
  const bool begins_so = path->rfind(mounted_group, 0) == 0;
  found.path = mounted_group == "/" ? *path : begins_so ? path->substr(mounted_group.size()) : "";
  if (found.path.rfind('/', 0) != 0) found.path.clear();  // "/web-1" is not below "/web"
  const bool is_outside = found.path == "/" || found.path.find("..") != std::string::npos;
  if (is_outside) found.path.clear();
  return found;
}

std::optional<int64_t> number_in(const std::string& file) {
  int64_t number = 0;
  if (std::ifstream(file) >> number) return number;  // not so with "max"
  return std::nullopt;
}

// What the quota of one group comes to.
std::optional<int> cpus_in(const std::string& group, bool is_version_2) {
  int64_t quota = 0, period = 0;
  if (is_version_2) {
    std::ifstream(group + "/cpu.max") >> quota >> period;
  } else {
    quota = number_in(group + "/cpu.cfs_quota_us").value_or(0);
    period = number_in(group + "/cpu.cfs_period_us").value_or(0);
  }
  if (quota <= 0 || period <= 0) return std::nullopt;
  return static_cast<int>(std::min<int64_t>((quota + period - 1) / period, 1 << 20));
}

void lower(GroupLimits& limits, const Hierarchy& where, const std::string& group) {
  const bool memory = where.is_version_2 || where.controllers.find(",memory,") != std::string::npos;
  const bool cpu = where.is_version_2 || where.controllers.find(",cpu,") != std::string::npos;
  if (memory) {
    const char* const name = where.is_version_2 ? "/memory.max" : "/memory.limit_in_bytes";
    const int64_t bytes = number_in(group + name).value_or(0);
    const bool is_less = limits.memory_bytes == 0 || bytes < limits.memory_bytes;
    if (bytes > 0 && bytes < kNoLimit && is_less) limits.memory_bytes = bytes;
  }
  if (cpu) {
    const int cpus = cpus_in(group, where.is_version_2).value_or(0);
    if (cpus > 0 && (limits.cpus == 0 || cpus < limits.cpus)) limits.cpus = cpus;
  }
}

}  // namespace

GroupLimits read_group_limits(const std::string& root) {
  GroupLimits limits;
  std::ifstream mounts(root + "/proc/self/mountinfo");
  std::string line;
  while (std::getline(mounts, line)) {
    const std::optional<Hierarchy> where = hierarchy_of(root, line);
    if (!where) continue;
    std::string path = where->path;
    while (true) {
      lower(limits, *where, root + where->mount + path);
      if (path.empty()) break;
      path.resize(path.rfind('/'));
    }
  }
  return limits;
}

}}  // namespace trireme
