// Step 7: limits, a deadline, and last words before the server goes down.
//
//   tutorial_7_limits [URL]
#include <chrono>
#include <iostream>
#include <string>
#include <utility>

#include "trireme/trireme.h"

namespace tr = trireme;
using namespace std::chrono_literals;

class Session {
 public:
  explicit Session(tr::Peer peer) : peer_(std::move(peer)) {}

  tr::Answer on_request(const tr::Request& request) {
    if (request.text() != "slow") return request.own();
    // Waits as long as the answer is wanted: not beyond the deadline, and not into a drain.
    if (!tr::wait_for(10s)) return tr::busy();
    return "done";
  }
  void on_drain() { peer_.send("the server goes down\n"); }

 private:
  tr::Peer peer_;
};

int main(int argc, char** argv) {
  tr::ServerOptions options;
  options.connections_max = 1'000;
  options.connections_per_address_max = 100;
  options.buffer_bytes_max = 64 << 20;  // of all connections together
  options.drain_time_max = 10s;
  tr::ListenOptions listen;
  listen.handler_time_max = 300ms;  // the deadline of a request
  listen.limits.frame_bytes_max = 80;
  listen.limits.idle_time_max = 5min;
  tr::Server server(options);
  server.serve<Session>(argc > 1 ? argv[1] : "tcp://127.0.0.1:7000", tr::lines(), listen);
  return server.run([&] { std::cout << "listening on " << server.urls()[0] << std::endl; });
}
