// The address space of one world: who listens where, and how connections come about.
//
// Step: none, test support. Thread: any fiber of the world; no call contains a scheduling point.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "runtime/system/random.h"
#include "sim/faults.h"
#include "sim/file.h"
#include "sim/scheduler.h"
#include "sim/socket.h"

namespace trireme { inline namespace v0 { namespace sim {

class UnixSocket;

class Network {
 public:
  // All three outlive the network; `faults` may change between calls.
  Network(Scheduler& world_scheduler, const Nature& world_nature, const Faults& world_faults,
          uint64_t seed)
      : nature(world_nature), scheduler(world_scheduler), faults(world_faults), random(seed) {}

  // 0, and `address` with its port filled in; or a negative errno.
  int bind(Socket& socket, SocketAddress& address);
  // 0 or -EADDRINUSE: whether `socket` may begin to listen on its address.
  int check_listen(const Socket& socket) const;
  // Starts the handshake: `socket` hears of the result by a delivery.
  void connect(const std::shared_ptr<Socket>& socket);
  void forget(const Socket& socket);

  // When what is sent now arrives: the same moment, unless the seed delays.
  Duration draw_delay();

  const Nature& nature;
  Scheduler& scheduler;
  const Faults& faults;
  Random random;

  // Unix sockets by name: a path, or '@' and an abstract name. Every folder exists, and everybody
  // may do everything.
  struct Name {
    UnixSocket* socket;  // null: the file of one that was closed
    uint64_t inode;
    uint32_t mode;
  };
  std::map<std::string, Name> names;
  uint64_t last_inode = 0;
  // Files that can be read, by path.
  std::map<std::string, std::shared_ptr<FileContent>> files;

 private:
  Socket* find_listener(const SocketAddress& address);
  bool conflicts(const Socket& socket, const SocketAddress& address, bool to_listen) const;
  uint16_t next_port();
  void arrive_syn(const std::shared_ptr<Socket>& socket, int tries);

  std::map<uint16_t, std::vector<Socket*>> bound_;  // by port, then in the order of bind
  uint16_t last_port_ = 32'767;
};

}}}  // namespace trireme::sim
