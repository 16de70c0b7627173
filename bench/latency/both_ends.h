// Both ends of a connection in one thread: what the kernel takes to carry a request and its reply.
//
// No wake-up, no other CPU, no server: of two programs that speak over TCP none answers faster, but
// for what the way out of a send takes, which two CPUs may do at once. So it is the measure of
// what a server could reach at all. Thread: its maker's.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "load/tally.h"

namespace bench {

class BothEnds {
 public:
  // Over 127.0.0.1; a request is `bytes` long, and so is its reply. `rate`: requests a second, each
  // due by the clock, 0: as fast as it goes. Null: the kernel gave no sockets.
  static std::unique_ptr<BothEnds> open(uint64_t bytes, double rate);
  ~BothEnds();
  BothEnds(const BothEnds&) = delete;
  BothEnds& operator=(const BothEnds&) = delete;

  // Sends and receives until then, and counts as a Load does: latency from when a request was due.
  void run_until(int64_t deadline_ns);
  load::Tally& tally() { return tally_; }

 private:
  BothEnds(int client, int server, uint64_t bytes, double rate);
  bool carry(int from, int to);  // false: it did not arrive as it was

  const int client_, server_;
  std::string message_, arrived_;
  double interval_ns_;  // 0: no schedule
  int64_t start_ns_ = 0;
  uint64_t requests_ = 0;
  load::Tally tally_;
};

}  // namespace bench
