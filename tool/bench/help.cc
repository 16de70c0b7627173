// What the help of `trireme bench` says beside the options. A paragraph is one line here: who
// prints it breaks it.
#include "tool/bench/options.h"

namespace bench {
namespace {

constexpr const char* kUrl =
    "URL: tcp://HOST:PORT, tcp://[::1]:PORT, unix:/path or unix:@abstract; of http and ws "
    "http://HOST[:PORT][/PATH][?QUERY], and ws:// likewise. Over TLS: tls://HOST:PORT, "
    "unix+tls:/path, https://, wss://.\n"
    "TIME: 250us, 10ms, 5s, 2m, 1h. SIZE: 64KiB, 1MiB or a number of bytes.\n";

constexpr const char* kExit =
    "Exit status: 0; 1 a byte was wrong, a connection broke or was not made, a reply is missing, "
    "or nothing was answered; 2 a wrong option or URL. SIGINT ends the measurement and prints "
    "what was measured so far; a second one does not wait for replies that are still due.\n";

constexpr const char* kExamples =
    "Examples:\n"
    "  trireme bench echo tcp://127.0.0.1:7000 --connections 200 --depth 8\n"
    "  trireme bench lines tcp://127.0.0.1:7000 --rate 5000 --block 0.01\n"
    "  trireme bench idle tcp://127.0.0.1:7000 --pid $(pgrep -x trireme)\n"
    "  trireme bench http http://127.0.0.1:7000/echo --bytes 1KiB --echo\n"
    "  trireme bench script tcp://127.0.0.1:6379 --script ping.txt --json\n"
    "\n"
    "`trireme bench SCENARIO --help` lists the options of a scenario.\n";

constexpr const char* kRate =
    "Latency: with --rate, from the moment when a request was due to be sent, so that a server "
    "that stalls shows what its stall would cost clients that do not know of each other. Without "
    "--rate, from the send: a stalled server is asked less, and looks better than it is.\n";

constexpr const char* kScript =
    "The steps of a script, one a line; # begins a comment:\n"
    "  send \"TEXT\"            queues bytes; \\n \\r \\t \\0 \\\\ \\\" \\$ \\xHH, ${connection}, "
    "${round}\n"
    "  expect \"TEXT\"          exactly these bytes come next\n"
    "  expect-line [\"TEXT\"]   a line comes next, this one if there is a text\n"
    "  expect-regex \"RE\"      a line comes next, with a match of the POSIX extended expression\n"
    "  expect-close           the server closes; the next step is on a new connection\n"
    "  pause TIME             waits before it goes on\n"
    "  repeat N | forever     the steps up to `end`, so many times\n"
    "  end\n"
    "  close                  closes; the next step is on a new connection\n"
    "From its end a script goes on at its beginning. A request is what is sent and the expects "
    "that follow it, up to the next send, pause or close.\n";

}  // namespace

const char* url_forms(const std::string& scenario) {
  if (scenario == "http") return "http://HOST[:PORT][/PATH][?QUERY]";
  if (scenario == "ws") return "ws://HOST[:PORT][/PATH][?QUERY]";
  return "tcp://HOST:PORT, tcp://[::1]:PORT, unix:/path, unix:@name";
}

std::string help_above(const std::string& scenario) {
  if (scenario.empty()) {
    return "load a server, and check every byte that comes back";
  }
  for (const ScenarioHelp& help : scenarios()) {
    if (scenario == help.name) return help.description;
  }
  return {};
}

std::string help_below(const std::string& scenario) {
  if (scenario.empty()) return std::string(kRate) + "\n" + kUrl + "\n" + kExit + "\n" + kExamples;
  return (scenario == "script" ? std::string(kScript) + "\n" : std::string()) + kRate + "\n" +
         kUrl + "\n" + kExit;
}

}  // namespace bench
