#include "load_options.h"

#include <cstdint>

namespace bench {

const char kLoadOptionsHelp[] =
    "  --connections N   connections open at once (64)\n"
    "  --depth N         requests in flight a connection (1; 64 with --rate; churn: 1)\n"
    "  --bytes N         size of a message of echo and churn (64)\n"
    "  --block FRACTION  this part of the lines asks the server to block (0) ...\n"
    "  --block-us N      ... for so many microseconds (20000)\n"
    "  --busy 1          the load never sleeps: what is left of a round trip is the server's (0)\n"
    "  --sources N       spread connections over 127.0.0.1 to 127.0.0.N (1; churn: 16)\n"
    "  --tls-resume 1    of servers tls://: handshakes resume by tickets (0)\n"
    "  --tls-version V   1.2 or 1.3 (both)\n";

load::LoadOptions take_load_options(Arguments& arguments, std::string_view scenario) {
  load::LoadOptions options;
  if (scenario == "lines") {
    options.scenario = load::Scenario::kLines;
  } else if (scenario == "churn") {
    options.scenario = load::Scenario::kChurn;
  } else if (scenario != "echo") {
    fail_usage("the scenario is one of echo, lines, churn");
  }
  const bool churn = options.scenario == load::Scenario::kChurn;
  options.rate = arguments.number("--rate", 0, 0, 1e8);
  options.connections = static_cast<uint32_t>(arguments.number("--connections", 64, 1, 1e6));
  const double depth = options.rate > 0 ? 64 : 1;
  options.depth = static_cast<uint32_t>(arguments.number("--depth", churn ? 1 : depth, 1, 1e6));
  if (churn && options.depth != 1) fail_usage("churn has depth 1: one request a connection");
  options.bytes = static_cast<uint64_t>(arguments.number("--bytes", 64, 1, 1 << 30));
  options.sources = static_cast<uint32_t>(arguments.number("--sources", churn ? 16 : 1, 1, 250));
  options.busy = arguments.number("--busy", 0, 0, 1) > 0;
  options.tls.resumes = arguments.number("--tls-resume", 0, 0, 1) > 0;
  options.tls.version = arguments.text("--tls-version", "");
  options.block_fraction = arguments.number("--block", 0, 0, 1);
  options.block_microseconds =
      static_cast<uint32_t>(arguments.number("--block-us", 20'000, 1, 60'000'000));
  if (options.block_fraction > 0 && options.scenario != load::Scenario::kLines) {
    fail_usage("--block belongs to the scenario lines");
  }
  return options;
}

}  // namespace bench
