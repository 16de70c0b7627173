// Step 4: a handler that blocks. Other clients do not notice.
//
//   tutorial_4_blocking [URL]
#include <chrono>
#include <iostream>
#include <string>
#include <thread>

#include "trireme/trireme.h"

namespace tr = trireme;
using namespace std::chrono_literals;

// Stands for any call that waits: of a database, a file, another server.
int read_shelf(int shelf) {
  std::this_thread::sleep_for(200ms);
  return shelf * 10;
}

tr::Answer answer(const tr::Request& request) {
  if (request.text() == "ping") return "pong";
  if (request.text() != "count") return tr::error("expected ping or count");
  int books = 0;
  for (int shelf = 1; shelf <= 5; ++shelf) {
    // The client may be gone, or the server may go down: then nobody waits for the answer.
    if (request.cancelled().stop_requested()) return tr::busy();
    books += read_shelf(shelf);
  }
  return std::to_string(books) + " books";
}

int main(int argc, char** argv) {
  tr::Server server({.data_workers = 64});  // at most 64 handlers block at once
  server.listen(argc > 1 ? argv[1] : "tcp://127.0.0.1:7000", tr::lines(), answer);
  return server.run([&] { std::cout << "listening on " << server.urls()[0] << std::endl; });
}
