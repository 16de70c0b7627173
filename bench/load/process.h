// The server as a process: what it has used so far, and starting and ending one.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>

namespace bench {

struct ProcessUsage {
  int64_t cpu_ns = 0;
  uint64_t context_switches = 0;  // of the threads that live now
  uint64_t resident_bytes = 0;
  uint32_t threads = 0;
};

// CPU of all threads, those that have ended too, in nanoseconds as the scheduler counts them (the
// sum of /proc/PID/task/*/schedstat, without its loss of ended threads). A thread that runs at this
// moment is counted up to its last tick: read it when the server sleeps. 0: no such process.
int64_t read_cpu_ns(pid_t pid);

// The same, after waiting (5 ms at most) until it stands still.
int64_t wait_settled_cpu_ns(pid_t pid);

ProcessUsage read_usage(pid_t pid);

// False: no such CPU, or not allowed. 0 is this process.
bool pin(pid_t pid, int cpu);

// A server started by us, ended (SIGTERM, after 5 s SIGKILL) by the destructor.
class ServerProcess {
 public:
  // Runs `command` by the shell's rules, on `cpu` if that is not negative, and waits (10 s at most)
  // for its line `listening on tcp://...`. Nothing: said why on standard error.
  static std::optional<ServerProcess> start(const std::string& command, int cpu);
  ServerProcess(ServerProcess&& other) noexcept;
  ServerProcess& operator=(ServerProcess&&) = delete;
  ~ServerProcess();

  pid_t pid() const { return pid_; }
  const std::string& url() const { return url_; }

 private:
  ServerProcess(pid_t pid, int output_fd) : pid_(pid), output_fd_(output_fd) {}
  bool wait_for_url();

  pid_t pid_;
  int output_fd_;  // kept open, so that the server can go on writing
  std::string url_;
};

}  // namespace bench
