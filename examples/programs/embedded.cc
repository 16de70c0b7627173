// A server inside a program that has signals and work of its own. Prometheus reads its metrics.
//
//   example_embedded [URL [METRICS-URL]]
#include <csignal>
#include <iostream>
#include <string>

#include "trireme/http.h"
#include "trireme/trireme.h"

namespace tr = trireme;

std::string line(const std::string& name, uint64_t value) {
  return "app_" + name + " " + std::to_string(value) + "\n";
}

int main(int argc, char** argv) {
  sigset_t ending;
  sigemptyset(&ending);
  sigaddset(&ending, SIGTERM);
  sigprocmask(SIG_BLOCK, &ending, nullptr);  // start() leaves signals as they are
  tr::Server server;
  server.listen(argc > 1 ? argv[1] : "tcp://127.0.0.1:7000", tr::lines(),
                [](const tr::Request& request) -> tr::Answer { return request.own(); });
  tr::http::Routes routes;
  routes.get("/metrics", [&](const tr::http::Request&) {
    const tr::Stats stats = server.stats();
    return tr::http::text(line("connections", stats.live) + line("requests_total", stats.requests) +
                          line("exceptions_total", stats.handler_exceptions));
  });
  server.listen(argc > 2 ? argv[2] : "tcp://127.0.0.1:9100", tr::http::serve(std::move(routes)),
                {.dispatch = tr::Dispatch::kInline});
  if (const auto started = server.start(); !started) {
    std::cerr << started.error().message << std::endl;
    return 1;
  }
  for (const auto& url : server.urls()) std::cout << "listening on " << url << std::endl;
  int signal = 0;
  sigwait(&ending, &signal);  // here: the program's own work
  return server.drain().empty() ? 0 : 1;
}
