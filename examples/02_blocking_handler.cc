// A handler that blocks: it looks a word up in a file, line by line, as slowly as the disk is.
// Other connections do not notice. Under `adaptive`, the default, nothing has to be declared for
// that.
//
//   example_02_blocking_handler FILE [URL]        a request is a word, the answer the line with it
#include <cstdio>
#include <fstream>
#include <iostream>
#include <string>

#include "trireme/trireme.h"

namespace tr = trireme;
using namespace std::chrono_literals;

int main(int argc, char** argv) {
  if (argc < 2) {
    std::fprintf(stderr, "usage: example_02_blocking_handler FILE [URL]\n");
    return 2;
  }
  // Called by several threads at once: what it captures is constant, what it changes is local.
  const auto find = [path = std::string(argv[1])](const tr::Request& request) -> tr::Answer {
    if (request.text().empty()) return tr::error("expected a word");
    std::ifstream file(path);
    if (!file) return tr::error("the file cannot be read");
    std::string line;
    while (std::getline(file, line)) {
      // Client gone, deadline over, or drain: nobody waits for the rest of the file.
      if (request.cancelled().stop_requested()) return tr::busy();
      if (line.find(request.text()) != std::string::npos) return line;
    }
    return "";
  };
  tr::Server server({.data_workers = 16});
  server.listen(argc > 2 ? argv[2] : "tcp://127.0.0.1:7000", tr::lines(), find,
                {.handler_time_max = 5s, .limits = {.frame_bytes_max = 4096}, .name = "find"});
  return server.run([&server] { std::cout << "listening on " << server.urls()[0] << std::endl; });
}
