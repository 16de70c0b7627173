// Step 3: a session, which is an object with the state of one connection.
//
//   tutorial_3_session [URL]
#include <atomic>
#include <iostream>
#include <string>

#include "trireme/trireme.h"

namespace tr = trireme;

// All sessions share it, on all threads.
struct House {
  std::atomic<int> clients{0};
};

class Session {
 public:
  explicit Session(House& house) : house_(house) { ++house_.clients; }

  tr::Answer on_request(const tr::Request& request) {
    const std::string line = request.own();
    if (line.starts_with("name ")) {
      name_ = line.substr(5);  // no lock: the functions of a session run one at a time
      return "hello " + name_;
    }
    if (line == "clients") return std::to_string(house_.clients);
    if (name_.empty()) return tr::error("first say: name NAME");
    return name_ + " says " + line;
  }
  void on_close(tr::CloseReason) { --house_.clients; }  // the last call of a session

 private:
  House& house_;
  std::string name_;
};

int main(int argc, char** argv) {
  House house;  // outlives the server
  tr::Server server;
  server.serve<Session>(argc > 1 ? argv[1] : "tcp://127.0.0.1:7000", tr::lines(), {}, house);
  return server.run([&] { std::cout << "listening on " << server.urls()[0] << std::endl; });
}
