// Results of one measured stretch of load, as text or JSON on standard output.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "load.h"
#include "process.h"

namespace bench {

struct Measured {
  std::string scenario;
  std::string url;
  LoadOptions options;
  double seconds = 0;
  uint64_t requests = 0;  // answered within `seconds`; the latencies are of these and the drain's
  int64_t own_cpu_ns = 0;
  bool has_server = false;  // the next two are known
  ProcessUsage server_before;
  ProcessUsage server_after;
};

void print_text(const Measured& measured, const Tally& tally);
void print_json(const Measured& measured, const Tally& tally);

std::string json_string(std::string_view text);

}  // namespace bench
