// When the requests of a load are due at a fixed rate, and how far that was looked at. The requests
// of all parts are one sequence: request n belongs to connection n modulo the active ones.
//
// Part of the load engine; belongs to the one thread of its load, and each part has its own.
#pragma once

#include <cstdint>

#include "load/clocks.h"
#include "load/connection.h"

namespace load {

class Schedule {
 public:
  // `rate` and `active_count` of all parts; a rate of 0 is a closed loop, which has numbers only.
  Schedule(double rate, uint32_t active_count) : rate_(rate), active_count_(active_count) {}

  // When request 0 is due.
  void begin(int64_t start_ns) { start_ns_ = start_ns; }
  bool begun() const { return start_ns_ != 0; }

  // Unique among all connections, rising on each.
  uint64_t number_of_next(const Connection& connection) const {
    return number(connection.next_request, connection);
  }
  int64_t due_ns(uint64_t number) const {
    return start_ns_ + static_cast<int64_t>(static_cast<double>(number) *
                                            (static_cast<double>(kNanosecondsPerSecond) / rate_));
  }
  int64_t due_ns_of_next(const Connection& connection) const {
    return due_ns(number_of_next(connection));
  }

  // Up to now all is looked at: one part goes round its connections, `place` by `place`.
  void look(int64_t now) { looked_ns_ = now; }
  // The next request of the connection was due before that.
  bool was_due(const Connection& connection) const {
    return due_ns_of_next(connection) <= looked_ns_;
  }
  uint32_t place() const { return place_; }
  // When the request at `place`, which is of this connection, is due.
  int64_t due_ns_at_place(const Connection& connection) const {
    return due_ns(number(round_, connection));
  }
  // On to the next of `count` connections.
  void advance(uint32_t count) {
    if (++place_ < count) return;
    place_ = 0;
    ++round_;
  }

 private:
  uint64_t number(uint64_t round, const Connection& connection) const {
    return round * active_count_ + connection.index;
  }

  const double rate_;
  const uint32_t active_count_;
  int64_t start_ns_ = 0;
  int64_t looked_ns_ = 0;
  uint64_t round_ = 0;  // with `place_`: the first request that was not yet looked at
  uint32_t place_ = 0;
};

}  // namespace load
