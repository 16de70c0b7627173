// The server of the tests in this folder: lines behind a listener that demands a PROXY header. Says
// on standard output where it listens; ends with standard input.
//
// A line comes back as it was; `PEER` is answered "ADDRESS PORT", `LAYERS` what was told.
// usage: proxy_lines URL [HEADER_TIME_MS]
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <string>

#include "trireme/trireme.h"

namespace {

namespace tr = trireme;

std::string peer_of(const tr::Request& request) {
  std::string address = request.peer().address();
  const size_t colon = address.rfind(':');
  if (colon != address.npos) address[colon] = ' ';
  std::erase_if(address, [](char byte) { return byte == '[' || byte == ']'; });
  return address;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) return 2;
  tr::Server server;
  tr::ListenOptions listen{.name = "lines"};
  if (argc > 2) listen.limits.handshake_time_max = std::chrono::milliseconds(std::atoi(argv[2]));
  server.listen(
      argv[1], tr::lines(),
      [](const tr::Request& request) -> tr::Answer {
        if (request.text() == "PEER") return peer_of(request);
        if (request.text() == "LAYERS") return request.peer().layers().text();
        return request.text();
      },
      listen);
  if (const auto started = server.start(); !started) {
    std::cerr << started.error().message << "\n";
    return 2;
  }
  std::cout << "listening on " << server.urls()[0] << std::endl;
  while (std::getchar() != EOF) {
  }
  return server.drain().empty() ? 0 : 1;
}
