// A database server of the test's own: started by it as an unprivileged user, on a unix socket in a
// folder of its own, gone with it.
//
// Thread: the test's.
#pragma once

#include <signal.h>
#include <sys/types.h>

#include <functional>
#include <string>
#include <vector>

namespace databases {

// A program, found in PATH or where Debian keeps those of databases; empty if it is not there.
std::string find_program(const std::string& name);

// A process that runs a database. It ends with the test, however that ends.
class Process {
 public:
  Process() = default;
  ~Process() { kill(); }
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  // Its output goes to `log_file`. Of root's tests it runs as nobody.
  void start(const std::vector<std::string>& command, const std::string& log_file);
  // Waits until it has ended: its status, or 128 and its signal.
  int wait_exit();
  void signal(int number);
  void stop();  // SIGSTOP, and waits until none of its threads runs
  void kill();  // kill -9, and waits
  bool has_ended();
  bool is_running() const { return pid_ > 0; }
  pid_t pid() const { return pid_; }

 private:
  pid_t pid_ = -1;
};

// What all kinds have in common: a folder that belongs to the user who runs them, and the process.
class PrivateServer {
 public:
  PrivateServer();
  virtual ~PrivateServer();
  PrivateServer(const PrivateServer&) = delete;
  PrivateServer& operator=(const PrivateServer&) = delete;

  // Starts it, or starts it again after kill(): false if it does not answer within a minute.
  bool start();
  // As kill -9 of the machine's administrator.
  void kill();
  // Its main process hangs, until it goes on.
  void hang() { process_.stop(); }
  void go_on() { process_.signal(SIGCONT); }
  const std::string& folder() const { return folder_; }
  std::string log() const;

 protected:
  virtual bool initialize() = 0;  // once
  virtual std::vector<std::string> command() const = 0;
  virtual bool answers() const = 0;
  // Runs it to its end. True: status 0.
  bool run(const std::vector<std::string>& command);
  std::string log_file() const { return folder_ + "/log"; }

 private:
  std::string folder_;
  Process process_;
  bool is_initialized_ = false;
};

#ifdef TRIREME_HAS_POSTGRES
class Postgres final : public PrivateServer {
 public:
  static constexpr const char* kName = "PostgreSQL";
  ~Postgres() override;
  static bool is_installed() { return !find_program("initdb").empty(); }
  std::string url() const { return "postgres:///postgres?host=" + folder() + "&user=trireme"; }

 private:
  bool initialize() override;
  std::vector<std::string> command() const override;
  bool answers() const override;
};
#endif

#ifdef TRIREME_HAS_MARIADB
class MariaDb final : public PrivateServer {
 public:
  static constexpr const char* kName = "MariaDB";
  ~MariaDb() override;
  static bool is_installed() { return !find_program("mariadb-install-db").empty(); }
  std::string socket() const { return folder() + "/socket"; }

 private:
  bool initialize() override;
  std::vector<std::string> command() const override;
  bool answers() const override;
};
#endif

#ifdef TRIREME_HAS_REDIS
class Redis final : public PrivateServer {
 public:
  static constexpr const char* kName = "Redis";
  ~Redis() override;
  static bool is_installed() { return !find_program("redis-server").empty(); }
  std::string socket() const { return folder() + "/socket"; }

 private:
  bool initialize() override { return true; }
  std::vector<std::string> command() const override;
  bool answers() const override;
};
#endif

// One for all tests of this process, running; or null, if the programs are not there.
template <class Server>
Server* shared_server() {
  if (!Server::is_installed()) return nullptr;
  static Server server;
  return server.start() ? &server : nullptr;
}

}  // namespace databases
