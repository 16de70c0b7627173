// The server as a process that we start and end.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>

namespace bench {

// False: no such CPU, or not allowed. 0 is this process.
bool pin(pid_t pid, int cpu);

// A server started by us, ended (SIGTERM, after 5 s SIGKILL) by the destructor.
class ServerProcess {
 public:
  // Runs `command` by the shell's rules, on `cpu` if that is not negative, and waits (10 s at most)
  // for its line `listening on URL`. Nothing: said why on standard error.
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
