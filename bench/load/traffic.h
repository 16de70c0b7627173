// What is said to the server and what must come back: the two protocols of the load, without any
// socket. A connection's stream is a pure function of its number and position, so that every byte
// of every reply can be checked and a reply that belongs to another connection is noticed.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "histogram.h"

namespace bench {

// A request that waits for its reply. `intended_ns` is when it should have been sent, which in a
// closed loop is when it was.
struct Pending {
  int64_t intended_ns = 0;
  uint64_t id = 0;
  bool blocks = false;
};

struct Tally {
  uint64_t requests = 0;  // answered
  uint64_t refused = 0;   // of them with BUSY
  uint64_t wrong_bytes = 0;
  uint64_t broken = 0;      // connections
  uint64_t unanswered = 0;  // sent, and no reply by the end of the drain
  uint64_t unsent = 0;      // due at a fixed rate, not sent by the end
  Histogram fast;           // of requests that do not ask the server to block
  Histogram blocking;

  bool failed() const { return wrong_bytes + broken + unanswered > 0; }
};

struct Connection {
  int fd = -1;
  uint32_t index = 0;
  bool watches_write = false;
  bool dead = false;
  uint64_t next_request = 0;

  std::vector<Pending> pending;  // a ring of `depth`
  uint32_t pending_head = 0;
  uint32_t pending_count = 0;

  // echo: positions in the endless stream of this connection
  uint64_t queued = 0;
  uint64_t written = 0;
  uint64_t received = 0;
  uint64_t reply_end = 0;  // where the oldest pending reply ends

  // lines
  std::string out;
  size_t out_written = 0;
  std::string partial;

  void push(const Pending& request) {
    const size_t slot = (pending_head + pending_count) % pending.size();
    pending[slot] = request;
    ++pending_count;
  }
  // The oldest pending request is answered: its latency is counted.
  void complete(int64_t now_ns, Tally& tally);
};

class Traffic {
 public:
  virtual ~Traffic() = default;
  virtual void add_request(Connection& connection, const Pending& request) = 0;
  // What to write next; borrowed until the next call for this connection.
  virtual std::string_view unwritten(const Connection& connection) const = 0;
  virtual void wrote(Connection& connection, size_t size) = 0;
  // Checks `bytes` (at most kReceiveBytes) and completes the requests that they answer.
  virtual void receive(Connection& connection, std::string_view bytes, int64_t now_ns,
                       Tally& tally) = 0;

  static constexpr size_t kReceiveBytes = 256 * 1024;
};

std::unique_ptr<Traffic> make_echo_traffic(uint64_t message_bytes);
std::unique_ptr<Traffic> make_line_traffic(uint32_t block_microseconds);

}  // namespace bench
