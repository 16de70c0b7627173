// Plays a script of socket calls on any `Kernel` and writes down what it answers, with names
// instead of numbers, so that the transcripts of two kernels can be compared line by line.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "runtime/system/kernel.h"

namespace trireme { inline namespace v0 { namespace sim {

class Stage {
 public:
  struct Host {
    Kernel& kernel;
    std::function<int(int)> reset;  // close with SO_LINGER 0
    std::function<void()> settle;   // until what was sent has arrived
  };

  explicit Stage(Host host) : host_(std::move(host)) {}
  ~Stage();  // closes what is open

  // Names are made by the calls that open something.
  void open(const std::string& name, int family = AF_INET);
  void listen(const std::string& name, int backlog = 8, int family = AF_INET);
  void connect(const std::string& name, const std::string& listener);
  void connect_again(const std::string& name, const std::string& listener);
  void accept(const std::string& listener, const std::string& name);
  // The same at a path of its own, with a file that goes with the stage.
  void bind_path(const std::string& name);
  void listen_unix(const std::string& name, int backlog = 8);
  void pair_unix(const std::string& client, const std::string& server);
  // What is at the path of a socket, whose file may be removed and changed.
  void file(const std::string& name);
  void remove_file(const std::string& name);
  void mode_before(const std::string& name, uint32_t mode);
  void file_mode(const std::string& name, uint32_t mode);
  void credentials(const std::string& name);
  void get(const std::string& name, int option);
  // A connection: `client` and `server`, accepted from a listener of its own that is closed.
  void pair(const std::string& client, const std::string& server);

  void bind_to(const std::string& name, const std::string& other);
  void set(const std::string& name, int level, int option, int value);
  void listen_now(const std::string& name, int backlog);
  void send(const std::string& name, const std::string& bytes);
  void fill(const std::string& name);   // sends until EAGAIN
  void drain(const std::string& name);  // receives until there is nothing
  void receive(const std::string& name, size_t bytes_max = 100);
  void readable(const std::string& name);
  void error(const std::string& name);
  void shutdown(const std::string& name, int how);
  void close(const std::string& name);
  void reset(const std::string& name);

  void epoll(const std::string& name);
  void event(const std::string& name);
  void signal(const std::string& name);
  void clear(const std::string& name);
  void add(const std::string& epoll, const std::string& name, uint32_t events);
  void modify(const std::string& epoll, const std::string& name, uint32_t events);
  void remove(const std::string& epoll, const std::string& name);
  // `what` pairs names with what to wait for.
  using Wanted = std::vector<std::pair<std::string, uint32_t>>;
  void poll(const Wanted& what, int timeout_ms = 0);
  void select(const Wanted& what, int timeout_ms = 0);
  void wait(const std::string& epoll, size_t events_max = 16, int timeout_ms = 0);

  const std::string& transcript() const { return transcript_; }

 private:
  void note(const std::string& call, const std::string& result);
  void note(const std::string& call, ssize_t result);
  void name_it(const std::string& name, int fd);
  void control(int operation, const std::string& epoll, const std::string& name, uint32_t events);

  Host host_;
  std::map<std::string, int> fds_;
  std::set<std::string> sockets_;
  std::map<std::string, SocketAddress> addresses_;
  std::map<std::string, std::string> paths_;
  std::map<std::string, size_t> numbers_;  // what epoll carries: one more than the index in names_
  std::vector<std::string> names_;
  std::string transcript_;
};

struct Scenario {
  const char* name;
  void (*play)(Stage&);
};

// Connections: how they begin and how they end in good order.
std::vector<Scenario> life_scenarios();
// RST in every state.
std::vector<Scenario> reset_scenarios();
// epoll: levels, edges, order; eventfd.
std::vector<Scenario> edge_scenarios();
// Unix sockets.
std::vector<Scenario> unix_scenarios();
// poll and select.
std::vector<Scenario> set_scenarios();

}}}  // namespace trireme::sim
