// Step 9, first half: a server as it goes into production. Its URLs and limits come from outside,
// and a second listener tells how it is.
//
//   tutorial_9_production [URL] [ADMIN-URL]
#include <chrono>
#include <iostream>
#include <iterator>
#include <string>
#include <utility>

#include "trireme/trireme.h"

namespace tr = trireme;
using namespace std::chrono_literals;

// Lines `NAME VALUE`, behind the number of lines.
std::string metrics(const tr::Stats& stats) {
  const std::pair<const char*, uint64_t> values[] = {
      {"connections", stats.live},
      {"requests", stats.requests},
      {"replies", stats.replies},
      {"handler_exceptions", stats.handler_exceptions},
      {"handler_deadlines", stats.handler_deadlines},
      {"stalls", stats.stalls},
      {"buffer_bytes", stats.buffer_bytes_now},
  };
  std::string text = std::to_string(std::size(values));
  for (const auto& [name, value] : values) {
    text += std::string("\n") + name + " " + std::to_string(value);
  }
  return text;
}

int main(int argc, char** argv) {
  tr::Server server({.drain_time_max = 20s});
  const auto echo = [](const tr::Request& request) -> tr::Answer { return request.own(); };
  server.listen(argc > 1 ? argv[1] : "tcp://127.0.0.1:7000", tr::lines(), echo,
                {.handler_time_max = 5s, .name = "echo"});

  const auto admin = [&server](const tr::Request& request) -> tr::Answer {
    if (request.text() == "health") return "ok";
    if (request.text() == "metrics") return metrics(server.stats());
    if (request.text() == "stop") {
      server.request_stop();
      return "stopping";
    }
    return tr::error("expected health, metrics or stop");
  };
  // Inline: it is answered even while every data worker is in a handler.
  server.listen(argc > 2 ? argv[2] : "tcp://127.0.0.1:7001", tr::lines(), admin,
                {.name = "admin", .dispatch = tr::Dispatch::kInline});
  return server.run([&] {
    for (const std::string& url : server.urls()) std::cout << "listening on " << url << std::endl;
  });
}
