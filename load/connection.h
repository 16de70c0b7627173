// One client connection of a load: its socket, the requests in flight on it, and what the scenario
// must remember of it.
//
// Part of the load engine; belongs to the one thread of its load.
#pragma once

#include <cstdint>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "load/http_reply.h"
#include "load/tally.h"
#include "load/tls_client.h"
#include "load/websocket_reply.h"

namespace load {

// A request that waits for its reply. `intended_ns` is when it should have been sent, which in a
// closed loop is when it was.
struct Pending {
  int64_t intended_ns = 0;
  uint64_t id = 0;
  bool blocks = false;
};

// The requests that wait for their replies, the oldest first; as many as `resize` has allowed.
class PendingRing {
 public:
  void resize(size_t count) { slots_.resize(count); }

  uint32_t count() const { return count_; }
  bool empty() const { return count_ == 0; }
  bool full() const { return count_ >= slots_.size(); }
  const Pending& oldest() const { return slots_[head_]; }

  void push(const Pending& request) {
    slots_[(head_ + count_) % slots_.size()] = request;
    ++count_;
  }
  void pop() {
    head_ = (head_ + 1) % static_cast<uint32_t>(slots_.size());
    --count_;
  }
  void clear() { count_ = 0; }

 private:
  std::vector<Pending> slots_;
  uint32_t head_ = 0;
  uint32_t count_ = 0;
};

// Where a connection stands in its script.
struct ScriptPosition {
  size_t step = 0;
  std::vector<uint64_t> repeats;  // turns left of the repeats around the step
  uint64_t round = 0;
};

struct Connection {
  int fd = -1;
  uint32_t index = 0;  // among the connections of all threads
  bool watches_write = false;
  bool dead = false;        // not opened again; what is pending is lost
  bool connecting = false;  // its socket has told nothing yet, or its handshake is under way
  bool has_timer = false;
  bool close_wanted = false;  // by its script or protocol: close when all is written, connect again
  bool greets = false;        // what opens the protocol is said, and not answered
  uint64_t next_request = 0;
  int64_t begun_ns = 0;  // when it was first tried to connect; 0: it is not tried
  int64_t ready_ns = 0;  // no request before this: its script pauses, or the backlog was full
  const char* fault = nullptr;  // why nobody knows where client and server stand: it breaks

  PendingRing pending;
  std::unique_ptr<TlsStream> tls;  // null: plain, or not connected

  // echo and stream: positions in the endless stream of this connection
  uint64_t queued = 0;
  uint64_t written = 0;
  uint64_t received = 0;
  uint64_t reply_end = 0;  // where the oldest pending reply ends

  // lines and script
  std::string out;
  size_t out_written = 0;
  std::string partial;

  ScriptPosition script;

  // http and ws
  HttpReplyReader replies;
  WebSocketReader frames;

  // Of a call that has failed so.
  std::string problem(int error) const {
    return tls != nullptr && !tls->problem().empty() ? tls->problem() : std::strerror(error);
  }
  std::string_view unwritten_text() const { return std::string_view(out).substr(out_written); }
  void wrote_text(size_t size) {
    out_written += size;
    if (out_written < out.size()) return;
    out.clear();
    out_written = 0;
  }

  // What the server owes: replies, and the answer to a greeting.
  uint32_t owed() const { return pending.count() + (greets ? 1 : 0); }

  // The next request is sent, or is lost because it cannot be.
  void push(const Pending& request) {
    pending.push(request);
    ++next_request;
  }
  // The oldest pending request is answered: its latency is counted.
  void complete(int64_t now_ns, Tally& tally) {
    const Pending& request = pending.oldest();
    (request.blocks ? tally.blocking : tally.fast).add(now_ns - request.intended_ns);
    ++tally.requests;
    pending.pop();
  }
};

}  // namespace load
