#include "support/child.h"

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstddef>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <utility>

namespace support {
namespace {

std::string first_line(const std::string& path) {
  std::string line;
  std::getline(std::ifstream(path), line);
  return line;
}

// Of seccomp: refuses what the options say, and allows the rest.
std::vector<sock_filter> filter_of(const Child::Options& options) {
  std::vector<sock_filter> filter;
  if (options.refused_calls.empty()) return filter;
  filter.push_back(BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)));
  for (const long call : options.refused_calls) {
    filter.push_back(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, static_cast<unsigned>(call), 0, 1));
    filter.push_back(BPF_STMT(
        BPF_RET | BPF_K,
        SECCOMP_RET_ERRNO | (static_cast<unsigned>(options.refused_errno) & SECCOMP_RET_DATA)));
  }
  filter.push_back(BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW));
  return filter;
}

}  // namespace

std::string Child::program() {
  // build/tests/integration_tests -> build/bin/trireme
  const auto self = std::filesystem::read_symlink("/proc/self/exe");
  return (self.parent_path().parent_path() / "bin" / "trireme").string();
}

Child::Child(std::vector<std::string> arguments, const Options& options) {
  std::vector<std::string> command = options.through;
  command.push_back(program());
  command.insert(command.end(), arguments.begin(), arguments.end());
  std::vector<char*> words;
  for (std::string& word : command) words.push_back(word.data());
  words.push_back(nullptr);
  out_fd_ = ::memfd_create("stdout", MFD_CLOEXEC);
  error_fd_ = ::memfd_create("stderr", MFD_CLOEXEC);
  pid_ = ::fork();
  if (pid_ != 0) return;
  become(options);
  ::execvp(words[0], words.data());
  ::_exit(127);
}

Child::Child(const std::function<int()>& body, const Options& options) {
  out_fd_ = ::memfd_create("stdout", MFD_CLOEXEC);
  error_fd_ = ::memfd_create("stderr", MFD_CLOEXEC);
  std::fflush(nullptr);
  pid_ = ::fork();
  if (pid_ != 0) return;
  become(options);
  const int status = body();
  std::fflush(stdout);
  ::_exit(status);
}

void Child::become(const Options& options) const {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  ::dup2(options.out >= 0 ? options.out : out_fd_, STDOUT_FILENO);
  ::dup2(options.errors >= 0 ? options.errors : error_fd_, STDERR_FILENO);
  if (options.descriptors_max > 0) {
    const rlimit limit{options.descriptors_max, options.descriptors_max};
    ::setrlimit(RLIMIT_NOFILE, &limit);
  }
  sigset_t blocked;
  ::sigemptyset(&blocked);
  for (const int number : options.blocked) ::sigaddset(&blocked, number);
  ::sigprocmask(SIG_SETMASK, &blocked, nullptr);
  for (const int number : options.pending) ::raise(number);
  for (const int fd : options.closed) ::close(fd);
  std::vector<sock_filter> filter = filter_of(options);
  const sock_fprog program_of_filter{static_cast<unsigned short>(filter.size()), filter.data()};
  if (!filter.empty() && (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
                          ::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program_of_filter) != 0)) {
    ::_exit(126);
  }
}

Child::~Child() {
  if (pid_ > 0 && !ended()) {
    if (traced_ > 0) ::kill(traced_, SIGKILL);
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }
  ::close(out_fd_);
  ::close(error_fd_);
}

std::string Child::url(size_t index) {
  static constexpr std::string_view kBegin = "listening on ";
  std::string found;
  wait_until([&] {
    const bool gone = ended();  // looked at first: then its output is complete
    std::istringstream lines(out());
    std::string line;
    for (size_t i = 0; i <= index && std::getline(lines, line); ++i) {
      if (i == index && line.starts_with(kBegin) && !lines.eof())
        found = line.substr(kBegin.size());
    }
    return gone || !found.empty();
  });
  if (traced_ < 0 && !found.empty()) look_for_traced();
  return found;
}

bool Child::look_for_traced() {
  const std::string self = std::to_string(pid_);
  const std::string children = first_line("/proc/" + self + "/task/" + self + "/children");
  if (!children.empty()) traced_ = std::stoi(children);
  return traced_ > 0;
}

pid_t Child::find_traced() {
  wait_until([this] { return look_for_traced() || ended(); });
  return traced_;
}

void Child::signal(int number) {
  if (!ended()) ::kill(pid(), number);
}

bool Child::ended() {
  if (status_ >= 0) return true;
  int status = 0;
  if (::waitpid(pid_, &status, WNOHANG) != pid_) return false;
  status_ = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  return true;
}

int Child::wait_exit(std::chrono::nanoseconds deadline) {
  wait_until([this] { return ended(); }, deadline);
  return status_;
}

std::string Child::text_of(int fd) {
  struct stat status {};
  if (::fstat(fd, &status) != 0) return {};
  std::string text(static_cast<size_t>(status.st_size), '\0');
  const ssize_t count = ::pread(fd, text.data(), text.size(), 0);
  text.resize(count > 0 ? static_cast<size_t>(count) : 0);
  return text;
}

bool Child::is_in(long system_call) const {
  const std::string begin = std::to_string(system_call) + " ";
  std::error_code error;
  const std::string tasks = "/proc/" + std::to_string(pid()) + "/task";
  for (const auto& task : std::filesystem::directory_iterator(tasks, error)) {
    if (first_line((task.path() / "syscall").string()).starts_with(begin)) return true;
  }
  return false;
}

bool Child::stop() {
  signal(SIGSTOP);
  const std::string tasks = "/proc/" + std::to_string(pid()) + "/task";
  return wait_until([&tasks] {
    std::error_code error;
    for (const auto& task : std::filesystem::directory_iterator(tasks, error)) {
      const std::string line = first_line((task.path() / "stat").string());
      if (line.find(") T ") == std::string::npos) return false;
    }
    return true;
  });
}

std::chrono::milliseconds Child::cpu_time() const {
  const std::string line = first_line("/proc/" + std::to_string(pid()) + "/stat");
  std::istringstream fields(line.substr(line.rfind(')') + 2));
  std::string skipped;
  for (int i = 0; i < 11; ++i) fields >> skipped;
  int64_t user = 0, system = 0;
  fields >> user >> system;
  return std::chrono::milliseconds((user + system) * 1000 / ::sysconf(_SC_CLK_TCK));
}

size_t Child::resident_bytes_peak() const {
  std::ifstream status("/proc/" + std::to_string(pid()) + "/status");
  std::string word;
  size_t kilobytes = 0;
  while (status >> word) {
    if (word == "VmHWM:") status >> kilobytes;
  }
  return kilobytes << 10;
}

}  // namespace support
