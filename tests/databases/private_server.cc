#include "databases/private_server.h"

#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <sstream>

#include "support/wait.h"
#ifdef TRIREME_HAS_POSTGRES
#include "trireme/postgres.h"
#endif
#ifdef TRIREME_HAS_MARIADB
#include "trireme/mariadb.h"
#endif
#ifdef TRIREME_HAS_REDIS
#include "trireme/redis.h"
#endif

namespace databases {
namespace {

namespace fs = std::filesystem;
constexpr uid_t kNobody = 65'534;
// What each private server may need, several at once.
constexpr uint64_t kFolderBytes = uint64_t{1} << 30;

// PostgreSQL refuses to run as root.
void drop_privileges() {
  if (::geteuid() != 0) return;
  if (::setgroups(0, nullptr) != 0 || ::setgid(kNobody) != 0 || ::setuid(kNobody) != 0) _exit(126);
}

}  // namespace

std::string find_program(const std::string& name) {
  std::vector<std::string> folders;
  std::istringstream path(::getenv("PATH") != nullptr ? ::getenv("PATH") : "");
  for (std::string folder; std::getline(path, folder, ':');) folders.push_back(folder);
  folders.insert(folders.end(), {"/usr/sbin", "/usr/local/sbin"});
  std::error_code error;
  std::vector<std::string> versions;
  for (const auto& entry : fs::directory_iterator("/usr/lib/postgresql", error)) {
    versions.push_back(entry.path().string() + "/bin");
  }
  std::sort(versions.begin(), versions.end());
  // What PATH has may be a shell script around another program.
  folders.insert(folders.begin(), versions.rbegin(), versions.rend());
  for (const std::string& folder : folders) {
    const std::string program = folder + "/" + name;
    if (::access(program.c_str(), X_OK) == 0) return program;
  }
  return {};
}

void Process::start(const std::vector<std::string>& command, const std::string& log_file) {
  kill();
  std::vector<char*> arguments;
  for (const std::string& word : command) arguments.push_back(const_cast<char*>(word.c_str()));
  arguments.push_back(nullptr);
  pid_ = ::fork();
  if (pid_ != 0) return;
  ::setpgid(0, 0);  // its own processes are killed with it
  drop_privileges();
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  sigset_t none;
  sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  const int log = ::open(log_file.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0666);
  ::dup2(::open("/dev/null", O_RDONLY), STDIN_FILENO);
  ::dup2(log, STDOUT_FILENO);
  ::dup2(log, STDERR_FILENO);
  ::closefrom(3);
  if (::chdir("/") == 0) ::execv(arguments[0], arguments.data());
  _exit(127);
}

int Process::wait_exit() {
  int status = 0;
  while (::waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
  }
  pid_ = -1;
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

bool Process::has_ended() {
  if (pid_ > 0 && ::waitpid(pid_, nullptr, WNOHANG) == pid_) pid_ = -1;
  return pid_ <= 0;
}

void Process::signal(int number) {
  if (pid_ > 0) ::kill(pid_, number);
}

void Process::stop() {
  signal(SIGSTOP);
  while (::waitpid(pid_, nullptr, WUNTRACED) < 0 && errno == EINTR) {
  }
}

void Process::kill() {
  if (pid_ <= 0) return;
  ::kill(-pid_, SIGKILL);
  ::kill(pid_, SIGKILL);
  wait_exit();
}

PrivateServer::PrivateServer() {
  // What is killed here are processes, never the machine: the files may lie in memory, where no
  // other program's disk traffic makes a commit wait.
  struct statvfs memory {};
  const bool has_room =
      ::statvfs("/dev/shm", &memory) == 0 && memory.f_bavail * memory.f_frsize >= kFolderBytes;
  // Short: the path of a unix socket has 107 bytes.
  folder_ = has_room ? "/dev/shm/trireme-db-XXXXXX" : "/tmp/trireme-db-XXXXXX";
  if (::mkdtemp(folder_.data()) == nullptr) folder_.clear();
  if (::geteuid() == 0 && ::chown(folder_.c_str(), kNobody, kNobody) != 0) folder_.clear();
}

PrivateServer::~PrivateServer() {
  process_.kill();
  std::error_code ignored;
  if (!folder_.empty()) fs::remove_all(folder_, ignored);
}

bool PrivateServer::run(const std::vector<std::string>& command) {
  Process process;
  process.start(command, log_file());
  return process.wait_exit() == 0;
}

bool PrivateServer::start() {
  if (process_.is_running()) return true;
  if (!is_initialized_ && !initialize()) {
    std::cerr << "cannot make the database:\n" << log();
    return false;
  }
  is_initialized_ = true;
  // Again, if it ends by itself: after kill -9 the last of its processes may still be on its way.
  const auto is_up_now = [&] {
    if (process_.has_ended()) process_.start(command(), log_file());
    return answers();
  };
  const bool is_up = support::wait_until(is_up_now, std::chrono::minutes(1));
  if (!is_up) std::cerr << "the database does not answer:\n" << log();
  return is_up;
}

void PrivateServer::kill() { process_.kill(); }

std::string PrivateServer::log() const {
  std::ostringstream text;
  text << std::ifstream(log_file()).rdbuf();
  return text.str();
}

#ifdef TRIREME_HAS_POSTGRES
Postgres::~Postgres() { kill(); }

bool Postgres::initialize() {
  return run({find_program("initdb"), "-D", folder() + "/data", "-U", "trireme", "-A", "trust",
              "-E", "UTF8", "--no-locale", "--no-sync"});
}

std::vector<std::string> Postgres::command() const {
  return {find_program("postgres"),
          "-D",
          folder() + "/data",
          "-k",
          folder(),
          "-c",
          "listen_addresses=",
          "-c",
          "shared_buffers=16MB",
          "-c",
          "max_connections=60"};
}

bool Postgres::answers() const {
  return trireme::postgres::Connection::connect({.url = url()}).ok();
}
#endif

#ifdef TRIREME_HAS_MARIADB
MariaDb::~MariaDb() { kill(); }

bool MariaDb::initialize() {
  return run({find_program("mariadb-install-db"), "--no-defaults",
              "--datadir=" + folder() + "/data", "--auth-root-authentication-method=normal",
              "--skip-name-resolve", "--skip-test-db"});
}

std::vector<std::string> MariaDb::command() const {
  return {find_program("mariadbd"),        "--no-defaults",      "--datadir=" + folder() + "/data",
          "--socket=" + socket(),          "--skip-networking",  "--pid-file=" + folder() + "/pid",
          "--innodb-buffer-pool-size=16M", "--skip-name-resolve"};
}

bool MariaDb::answers() const {
  return trireme::mariadb::Connection::connect({.path = socket(), .user = "root"}).ok();
}
#endif

#ifdef TRIREME_HAS_REDIS
Redis::~Redis() { kill(); }

std::vector<std::string> Redis::command() const {
  return {find_program("redis-server"),
          "--port",
          "0",
          "--unixsocket",
          socket(),
          "--save",
          "",
          "--dir",
          folder()};
}

bool Redis::answers() const { return trireme::redis::Connection::connect({.path = socket()}).ok(); }
#endif

}  // namespace databases
