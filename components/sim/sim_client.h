// A client of the server under test: blocking calls in virtual time, and the bad manners of real
// clients (half-close, reset, never reading).
//
// Step: none, test support. Thread: one fiber of the world at a time; another than the server's
// own may be used freely. Its descriptors are not the server's: they count against no limit and
// see none of the errors that a seed injects into calls, but the same hostile network.
//
// Deadlines are points of virtual time; kNever waits for ever, and a world in which nobody can go
// on then ends with the list of what each fiber waits for.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "runtime/system/clock.h"
#include "runtime/system/kernel.h"
#include "sim/trace.h"

namespace trireme { inline namespace v0 { namespace sim {

class Scheduler;
class Machine;
class StreamSocket;

class SimClient {
 public:
  struct Received {
    std::string bytes;  // what came, also when it ended otherwise than asked for
    int error = 0;      // positive: ECONNRESET and the like; ETIMEDOUT: the deadline passed
    bool end = false;   // the server's end of stream came
  };

  explicit SimClient(Machine& world);
  ~SimClient();  // closes
  SimClient(const SimClient&) = delete;
  SimClient& operator=(const SimClient&) = delete;

  // 0 or -errno: -ECONNREFUSED, -ETIMEDOUT. `source` may name another address than 127.0.0.1.
  int connect(const SocketAddress& address, TimePoint until = kNever,
              const SocketAddress& source = {});
  // To a unix socket: a path, or '@' and an abstract name. -ENOENT, -ECONNREFUSED; -EAGAIN: its
  // backlog was full until then.
  int connect_unix(const std::string& name, TimePoint until = kNever);
  // To 127.0.0.1.
  int connect(uint16_t port, TimePoint until = kNever);
  // 0 when the network has taken all of it, or -errno. sent_bytes() tells how far it got.
  int send_all(std::string_view bytes, TimePoint until = kNever);
  // At least one byte, unless the stream ends or fails before.
  Received receive_some(size_t bytes_max = 65'536, TimePoint until = kNever);
  Received receive_exactly(size_t bytes, TimePoint until = kNever);
  Received receive_until_end(TimePoint until = kNever);
  // 0 or -ENOTCONN. The server sees end of stream; replies still come.
  int shutdown_write();
  // The server sees ECONNRESET.
  void reset();
  // As close(2): with unread replies this is a reset too. Harmless when not open.
  void close();

  bool is_open() const { return socket_ != nullptr; }
  uint64_t sent_bytes() const { return sent_bytes_; }
  uint64_t received_bytes() const { return received_bytes_; }
  // This side's address, which the server sees as its peer's.
  SocketAddress local_address() const;

 private:
  bool wait(const char* call, TimePoint until);
  Received receive(size_t bytes_max, bool all, TimePoint until);
  void record(Call call, int64_t argument, int64_t result);
  StreamSocket& socket(const char* call) const;

  Machine& machine_;
  Scheduler& scheduler_;
  const uint32_t number_;                 // in the order of construction
  std::shared_ptr<StreamSocket> socket_;  // one of the owners that socket.h lists: the descriptor
  std::string read_buffer_;  // kept between calls: the thread sanitizer maps memory for a large one
  uint64_t sent_bytes_ = 0;
  uint64_t received_bytes_ = 0;
};

}}}  // namespace trireme::sim
