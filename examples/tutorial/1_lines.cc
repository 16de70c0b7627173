// Step 1: a server that sends every line back.
//
//   tutorial_1_lines [URL]
#include <iostream>

#include "trireme/trireme.h"

namespace tr = trireme;

int main(int argc, char** argv) {
  const auto echo = [](const tr::Request& request) -> tr::Answer { return request.own(); };
  tr::Server server;
  server.listen(argc > 1 ? argv[1] : "tcp://127.0.0.1:7000", tr::lines(), echo);
  return server.run([&] { std::cout << "listening on " << server.urls()[0] << std::endl; });
}
