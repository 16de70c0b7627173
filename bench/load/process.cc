#include "process.h"

#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <utility>

#include "clocks.h"

namespace bench {
namespace {

void sleep_ns(int64_t duration_ns) {
  const timespec duration{.tv_sec = duration_ns / kNanosecondsPerSecond,
                          .tv_nsec = duration_ns % kNanosecondsPerSecond};
  nanosleep(&duration, nullptr);
}

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

}  // namespace

int64_t read_cpu_ns(pid_t pid) {
  clockid_t clock{};
  return clock_getcpuclockid(pid, &clock) == 0 ? read_clock_ns(clock) : 0;
}

int64_t wait_settled_cpu_ns(pid_t pid) {
  // The first pause lets a server that has just sent its last reply get to sleep: while it runs
  // the count stands still too, until the next tick.
  constexpr int64_t kPauseNs = 250'000;
  sleep_ns(kPauseNs);
  int64_t last = read_cpu_ns(pid);
  for (int i = 0; i < 20; ++i) {
    sleep_ns(kPauseNs);
    const int64_t now = read_cpu_ns(pid);
    if (now == last) return now;
    last = now;
  }
  return last;
}

ProcessUsage read_usage(pid_t pid) {
  ProcessUsage usage{.cpu_ns = read_cpu_ns(pid)};
  const std::string process = "/proc/" + std::to_string(pid);
  read_status(process + "/status", [&](std::string_view name, uint64_t value) {
    if (name == "VmRSS") usage.resident_bytes = value * 1024;
    if (name == "Threads") usage.threads = static_cast<uint32_t>(value);
  });
  DIR* tasks = opendir((process + "/task").c_str());
  if (tasks == nullptr) return usage;
  while (const dirent* task = readdir(tasks)) {
    if (task->d_name[0] == '.') continue;
    read_status(process + "/task/" + task->d_name + "/status",
                [&](std::string_view name, uint64_t value) {
                  if (name.ends_with("voluntary_ctxt_switches")) usage.context_switches += value;
                });
  }
  closedir(tasks);
  return usage;
}

bool pin(pid_t pid, int cpu) {
  cpu_set_t cpus;
  CPU_ZERO(&cpus);
  if (cpu < 0 || cpu >= CPU_SETSIZE) return false;
  CPU_SET(cpu, &cpus);
  return sched_setaffinity(pid, sizeof cpus, &cpus) == 0;
}

std::optional<ServerProcess> ServerProcess::start(const std::string& command, int cpu) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return std::nullopt;
  // exec: the shell becomes the server, so that its process id is the one we know.
  const std::string script = "exec " + command;
  const pid_t pid = fork();
  if (pid == 0) {
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    dup2(ends[1], STDOUT_FILENO);
    if (cpu >= 0 && !pin(0, cpu)) _exit(126);
    execl("/bin/sh", "sh", "-c", script.c_str(), nullptr);
    _exit(127);
  }
  close(ends[1]);
  if (pid < 0) {
    close(ends[0]);
    return std::nullopt;
  }
  ServerProcess server(pid, ends[0]);
  if (!server.wait_for_url()) {
    std::fprintf(stderr, "ended, or no line \"listening on tcp://...\" within 10 s: %s\n",
                 command.c_str());
    return std::nullopt;
  }
  return server;
}

bool ServerProcess::wait_for_url() {
  constexpr std::string_view kBefore = "listening on ";
  const int64_t deadline = now_ns() + 10 * kNanosecondsPerSecond;
  std::string said;
  for (;;) {
    const size_t begin = said.find(std::string(kBefore) + "tcp://");
    const size_t end = said.find('\n', begin);
    if (begin != std::string::npos && end != std::string::npos) {
      url_ = said.substr(begin + kBefore.size(), end - begin - kBefore.size());
      return true;
    }
    pollfd readable{.fd = output_fd_, .events = POLLIN, .revents = 0};
    const int64_t left_ms = (deadline - now_ns()) / 1'000'000;
    if (left_ms <= 0 || poll(&readable, 1, static_cast<int>(left_ms)) <= 0) return false;
    char text[512];
    const ssize_t size = read(output_fd_, text, sizeof text);
    if (size <= 0) return false;
    said.append(text, static_cast<size_t>(size));
  }
}

ServerProcess::ServerProcess(ServerProcess&& other) noexcept
    : pid_(std::exchange(other.pid_, -1)),
      output_fd_(std::exchange(other.output_fd_, -1)),
      url_(std::move(other.url_)) {}

ServerProcess::~ServerProcess() {
  if (pid_ <= 0) return;
  kill(pid_, SIGTERM);
  for (int i = 0; i < 500 && waitpid(pid_, nullptr, WNOHANG) == 0; ++i) {
    sleep_ns(10'000'000);
    if (i == 499) {
      std::fprintf(stderr, "server %d did not end within 5 s of SIGTERM: killed\n", pid_);
      kill(pid_, SIGKILL);
      waitpid(pid_, nullptr, 0);
    }
  }
  close(output_fd_);
}

}  // namespace bench
