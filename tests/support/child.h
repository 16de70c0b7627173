// The real program `trireme`, or code of a test, in a process of its own.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <functional>
#include <string>
#include <vector>

#include "support/wait.h"

namespace support {

// Starts at construction; killed at destruction if it still runs, and when the test dies.
class Child {
 public:
  struct Options {
    size_t descriptors_max = 0;  // RLIMIT_NOFILE, soft and hard; 0: ours
    // System calls that fail with `refused_errno`, as in a container whose profile lacks them.
    std::vector<long> refused_calls{};
    int refused_errno = 0;
    std::vector<std::string> through{};  // a program and its options that start ours: strace
    // Its standard output and standard error, borrowed; -1: memory files, for out() and errors().
    int out = -1;
    int errors = -1;
    std::vector<int> closed{};   // descriptors, at its start
    std::vector<int> blocked{};  // signals, at its start
    std::vector<int> pending{};  // of those: sent already
  };

  // `arguments` of `trireme`.
  explicit Child(std::vector<std::string> arguments) : Child(std::move(arguments), Options()) {}
  Child(std::vector<std::string> arguments, const Options& options);
  // `body` runs in a copy of this process, which has no threads then; its result is the status.
  explicit Child(const std::function<int()>& body) : Child(body, Options()) {}
  Child(const std::function<int()>& body, const Options& options);
  ~Child();
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;

  // The URL of the `listening on` line, waited for. Empty if the process ended without.
  std::string url(size_t index = 0);
  void signal(int number);
  // SIGSTOP, and waits until none of its threads runs any more. SIGCONT lets it go on.
  bool stop();
  // Waits for the end: the exit status, 128 and the signal's number, or -1 at the deadline.
  int wait_exit(std::chrono::nanoseconds deadline = kDeadline);

  std::string out() const { return text_of(out_fd_); }       // standard output so far
  std::string errors() const { return text_of(error_fd_); }  // standard error so far
  // Of our program if `through` starts it; waited for. Before url(), which does the same.
  pid_t find_traced();
  pid_t pid() const { return traced_ > 0 ? traced_ : pid_; }
  // True if one of its threads sleeps in this system call: a handler that blocks is under way.
  bool is_in(long system_call) const;
  std::chrono::milliseconds cpu_time() const;
  size_t resident_bytes_peak() const;

  // Where the program is: beside the folder of the test programs.
  static std::string program();

 private:
  static std::string text_of(int fd);
  bool ended();
  bool look_for_traced();
  void become(const Options& options) const;

  int out_fd_ = -1;  // memory files: nobody needs to read along
  int error_fd_ = -1;
  pid_t pid_ = -1;     // what we have started
  pid_t traced_ = -1;  // `trireme` itself, if something else has started it
  int status_ = -1;
};

}  // namespace support
