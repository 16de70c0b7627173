// What is said to the server and what must come back: the protocols of the load, without any
// socket. A connection's stream is a pure function of its number and position, so that every byte
// of every reply can be checked and a reply that belongs to another connection is noticed.
//
// Part of the load engine; each thread of a load has its own. Virtual calls are made once for a
// request, a send or a receive, never for a byte.
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>

#include "load/connection.h"
#include "load/framing.h"
#include "load/script.h"

namespace load {

class Traffic {
 public:
  virtual ~Traffic() = default;

  // A connection is made. May queue a greeting and set `greets`: then requests wait for its answer.
  virtual void opened(Connection&) {}
  // Queues one request. A script may queue bytes that nobody answers: then nothing is pending.
  virtual void add_request(Connection& connection, const Pending& request, Tally& tally) = 0;
  // What to write next; borrowed until the next call for this connection. The standard: what was
  // queued as text.
  virtual std::string_view unwritten(const Connection& connection) const {
    return connection.unwritten_text();
  }
  virtual void wrote(Connection& connection, size_t size, Tally&) { connection.wrote_text(size); }
  // Checks `bytes` (at most kReceiveBytes) and completes the requests that they answer.
  virtual void receive(Connection& connection, std::string_view bytes, int64_t now_ns,
                       Tally& tally) = 0;
  // The server has closed. True if it was to do so; then the connection is opened again.
  virtual bool ended(Connection&, int64_t /*now_ns*/, Tally&) { return false; }

  static constexpr size_t kReceiveBytes = 256 * 1024;
};

// Messages that come back as they were.
std::unique_ptr<Traffic> make_echo_traffic(const Framing& framing, uint64_t message_bytes);
// Bytes that are taken and never answered; a request is a chunk that the socket has taken.
std::unique_ptr<Traffic> make_one_way_traffic(uint64_t chunk_bytes);
// "ID MICROSECONDS" is answered "ID".
std::unique_ptr<Traffic> make_line_traffic(uint32_t block_microseconds);
// The steps of a script, which outlives the traffic.
std::unique_ptr<Traffic> make_script_traffic(const Script& script);

// Counts the bytes in which `got` differs from `wanted` and notes the first of them; `position` is
// where both begin in what the connection has received.
void count_differences(const Connection& connection, uint64_t position, std::string_view got,
                       std::string_view wanted, Tally& tally);

}  // namespace load
