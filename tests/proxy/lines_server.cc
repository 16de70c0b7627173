// The server of the tests in this folder: the service `lines` behind a listener that demands a
// PROXY header, which may be given less time than the tool gives. Says on standard output where it
// listens; ends with standard input.
//
// usage: proxy_lines URL [HEADER_TIME_MS]
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <iostream>

#include "services/lines.h"
#include "trireme/trireme.h"

namespace tr = trireme;

int main(int argc, char** argv) {
  if (argc < 2) return 2;
  tr::Server server;
  tr::ListenOptions listen{.name = "lines"};
  if (argc > 2) listen.limits.handshake_time_max = std::chrono::milliseconds(std::atoi(argv[2]));
  services::add_lines(server, argv[1], listen);
  if (const auto started = server.start(); !started) {
    std::cerr << started.error().message << "\n";
    return 2;
  }
  std::cout << "listening on " << server.urls()[0] << std::endl;
  while (std::getchar() != EOF) {
  }
  return server.drain().empty() ? 0 : 1;
}
