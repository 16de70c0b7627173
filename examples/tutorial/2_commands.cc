// Step 2: requests of several kinds, and errors.
//
//   tutorial_2_commands [URL]
#include <iostream>
#include <sstream>
#include <stdexcept>
#include <string>

#include "trireme/trireme.h"

namespace tr = trireme;

// Several threads call it at once, so it only uses variables of its own.
tr::Answer answer(const tr::Request& request) {
  std::istringstream words(request.own());
  std::string command;
  words >> command;
  if (command == "add") {
    int a = 0;
    int b = 0;
    if (!(words >> a >> b)) return tr::error("expected: add NUMBER NUMBER");
    return std::to_string(static_cast<long>(a) + b);
  }
  if (command == "crash") throw std::runtime_error("a defect");
  if (command == "quit") return tr::Answer("bye").close_after();
  return tr::error("expected add or quit");
}

int main(int argc, char** argv) {
  tr::Server server;
  server.listen(argc > 1 ? argv[1] : "tcp://127.0.0.1:7000", tr::lines(), answer);
  return server.run([&] { std::cout << "listening on " << server.urls()[0] << std::endl; });
}
