// A front end to PostgreSQL: `GET ID` and `SET ID NAME` as lines, 16 connections for all clients.
//
//   $ example_front_end postgres:///app?host=/run/postgresql [URL]
//   $ nc 127.0.0.1 7000 <<<'GET 17'
#include <chrono>
#include <iostream>
#include <string>

#include "trireme/postgres.h"
#include "trireme/trireme.h"

namespace tr = trireme;
using namespace std::chrono_literals;

int main(int argc, char** argv) {
  auto options = tr::postgres::pool_options({.url = argc > 1 ? argv[1] : "postgres://"});
  options.count_max = 16;
  options.wait_time_max = 500ms;  // then BUSY
  tr::Pool<tr::postgres::Connection> pool(std::move(options));

  // Ends with its request: when the client is gone, or after 2 seconds, the statement is cancelled.
  const auto answer = [&](const tr::Request& request) -> tr::Answer {
    const std::string line = request.own();
    const size_t space = line.find(' ', 4);
    const bool is_get = line.starts_with("GET ");
    if (!is_get && (!line.starts_with("SET ") || space == line.npos)) {
      return tr::error("expected GET ID or SET ID NAME");
    }
    auto database = pool.take();
    if (!database) return database.refusal();  // BUSY, or why there is no connection
    const auto rows =
        is_get ? database->query("SELECT name FROM names WHERE id = $1", {line.substr(4)})
               : database->query(
                     "INSERT INTO names VALUES($1, $2) "
                     "ON CONFLICT(id) DO UPDATE SET name = excluded.name",
                     {line.substr(4, space - 4), line.substr(space + 1)});
    if (!rows) return tr::error(rows.failure().message);
    if (!is_get) return "OK";
    return rows.size() == 0 ? std::string("NONE") : tr::one_line(std::string(rows.text(0, 0)));
  };
  tr::Server server({.data_workers = 64});
  // A client that ends its stream has gone away: its statement is cancelled.
  server.listen(argc > 2 ? argv[2] : "tcp://127.0.0.1:7000", tr::lines(), answer,
                {.handler_time_max = 2s, .half_close = tr::HalfClose::kGone});
  return server.run([&] { std::cout << "listening on " << server.urls()[0] << std::endl; });
}
