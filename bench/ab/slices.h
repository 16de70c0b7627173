// Short turns of load for two servers that both stay alive with all connections open: A B B A, and
// again. The machine's mood changes over seconds, not over 100 ms, so it falls on both alike; the
// order cancels what drifts in a straight line within a quadruple.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "load/load.h"
#include "load/process.h"
#include "support/server_process.h"

namespace bench {

struct Slice {
  char side = 'A';
  uint64_t requests = 0;
  double seconds = 0;
  int64_t server_cpu_ns = 0;
  int64_t load_cpu_ns = 0;
  uint64_t context_switches = 0;  // of the server

  // Server CPU per request over load CPU per request. The load does the same work for both, so it
  // is the yardstick that stretches and shrinks with the machine.
  double cost() const {
    return load_cpu_ns == 0 ? 0
                            : static_cast<double>(server_cpu_ns) / static_cast<double>(load_cpu_ns);
  }
};

// One of the two servers with its connections.
class Side {
 public:
  // `url` and `pid` of a server that runs, or `command` to start one. Ends the process when wrong.
  Side(char name, const std::string& command, int server_cpu, std::string url, pid_t pid);

  // Before the first slice. False: said why on standard error.
  bool connect(const load::LoadOptions& options);
  // From now on each slice has connections of its own, which have carried load for as long as it
  // lasts before it is measured: where the kernel's buffers lie in the caches is drawn again each
  // time, not once for all slices.
  void renew_connections() { renews_ = true; }
  // Begins and ends with no request in flight, so that no work leaks into the other's slice.
  Slice run_slice(int64_t duration_ns);

  pid_t pid() const { return pid_; }
  const std::string& url() const { return url_; }
  const std::string& command() const { return command_; }
  // Of all connections that there were.
  load::Tally tally();
  bool alive() const { return load_.has_value() ? load_->alive() : !closed_.failed(); }

 private:
  bool open();
  void close();

  const char name_;
  const std::string command_;
  std::string url_;
  pid_t pid_ = 0;
  std::optional<ServerProcess> process_;
  load::LoadOptions options_;
  bool renews_ = false;
  load::Tally closed_;  // of connections that were renewed
  std::optional<load::Load>
      load_;  // destroyed before the server, which then sees its clients leave
};

struct Result {
  std::vector<double> ratios;  // cost of B over cost of A, one a quadruple
  std::vector<Slice> slices;
};

Result run_slices(Side& a, Side& b, int quadruples, int64_t slice_ns, int warmup_slices);

}  // namespace bench
