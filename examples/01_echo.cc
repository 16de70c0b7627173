// The least that a server needs: a URL, a codec, a handler. Every byte goes back as it came.
//
//   example_01_echo [URL]        then: nc 127.0.0.1 7000
#include <iostream>
#include <string>

#include "trireme/trireme.h"

namespace tr = trireme;

int main(int argc, char** argv) {
  tr::Server server;
  // The answer is a view of the request. That is the one view that is always safe to return: the
  // request's bytes stay where they are until the reply has left.
  server.listen(argc > 1 ? argv[1] : "tcp://127.0.0.1:7000", tr::bytes(),
                [](const tr::Request& request) -> tr::Answer { return request.text(); });
  return server.run([&server] { std::cout << "listening on " << server.urls()[0] << std::endl; });
}
