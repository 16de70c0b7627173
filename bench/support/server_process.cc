#include "server_process.h"

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

#include "load/clocks.h"

namespace bench {
namespace {

void sleep_ns(int64_t duration_ns) {
  const timespec duration{.tv_sec = duration_ns / load::kNanosecondsPerSecond,
                          .tv_nsec = duration_ns % load::kNanosecondsPerSecond};
  nanosleep(&duration, nullptr);
}

}  // namespace

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
    std::fprintf(stderr, "ended, or no line \"listening on URL\" within 10 s: %s\n",
                 command.c_str());
    return std::nullopt;
  }
  return server;
}

bool ServerProcess::wait_for_url() {
  constexpr std::string_view kBefore = "listening on ";
  const int64_t deadline = load::now_ns() + 10 * load::kNanosecondsPerSecond;
  std::string said;
  for (;;) {
    const size_t begin = said.find(kBefore);
    const size_t end = said.find('\n', begin);
    if (begin != std::string::npos && end != std::string::npos) {
      url_ = said.substr(begin + kBefore.size(), end - begin - kBefore.size());
      return true;
    }
    pollfd readable{.fd = output_fd_, .events = POLLIN, .revents = 0};
    const int64_t left_ms = (deadline - load::now_ns()) / 1'000'000;
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
