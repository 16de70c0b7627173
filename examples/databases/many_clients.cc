// 1,000 clients on 16 connections: each line is a question to PostgreSQL, and what has to wait
// waits in order. Prints how the pool fares, once a second.
//
//   $ example_many_clients postgres:///app?host=/run/postgresql
//   $ trireme bench lines tcp://127.0.0.1:7000 --connections 1000
#include <atomic>
#include <chrono>
#include <iostream>
#include <string>
#include <thread>

#include "trireme/postgres.h"
#include "trireme/trireme.h"

namespace tr = trireme;
using namespace std::chrono_literals;

int main(int argc, char** argv) {
  auto options = tr::postgres::pool_options({.url = argc > 1 ? argv[1] : "postgres://"});
  options.count_max = 16;
  options.wait_time_max = 5s;
  tr::Pool<tr::postgres::Connection> pool(std::move(options));

  // A handler that waits has a thread. 200 may be at it; the others are lines that nobody has
  // begun: they cost no thread, and wait in order.
  tr::Server server({.data_workers = 200});
  const auto answer = [&](const tr::Request& request) -> tr::Answer {
    auto database = pool.take();
    if (!database) return database.refusal();
    const auto rows = database->query("SELECT $1::text", {request.own()});
    return rows ? tr::Answer(std::string(rows.text(0, 0))) : tr::error(rows.failure().message);
  };
  server.listen(argc > 2 ? argv[2] : "tcp://127.0.0.1:7000", tr::lines(), answer);
  std::atomic<bool> ends{false};
  std::thread reports([&] {
    while (!ends) {
      const tr::PoolStats stats = pool.stats();
      std::cerr << stats.in_use << " in use, " << stats.waiting << " wait, " << stats.taken
                << " taken, " << stats.busy << " refused" << std::endl;
      for (int i = 0; i < 10 && !ends; ++i) std::this_thread::sleep_for(100ms);
    }
  });
  const int status =
      server.run([&] { std::cout << "listening on " << server.urls()[0] << std::endl; });
  ends = true;
  reports.join();
  return status;
}
