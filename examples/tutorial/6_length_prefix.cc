// Step 6, first half: binary requests, with their length in front.
//
//   tutorial_6_length_prefix [URL]
#include <iostream>
#include <string>

#include "trireme/trireme.h"

namespace tr = trireme;

int main(int argc, char** argv) {
  const auto reverse = [](const tr::Request& request) -> tr::Answer {
    return std::string(request.text().rbegin(), request.text().rend());
  };
  tr::Server server;
  // Two bytes of length, the most significant first. The handler sees what follows them.
  server.listen(argc > 1 ? argv[1] : "tcp://127.0.0.1:7000", tr::length_prefix({.width = 2}),
                reverse);
  return server.run([&] { std::cout << "listening on " << server.urls()[0] << std::endl; });
}
