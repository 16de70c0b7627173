// A cache with Redis in front of PostgreSQL: `GET ID` as a line. Where the cache is away, the
// database answers alone.
//
//   $ example_cached_front_end postgres:///app?host=/run/postgresql 127.0.0.1 6379
#include <chrono>
#include <iostream>
#include <optional>
#include <string>

#include "trireme/postgres.h"
#include "trireme/redis.h"
#include "trireme/trireme.h"

namespace tr = trireme;
using namespace std::chrono_literals;

class Names {
 public:
  Names(std::string database_url, tr::redis::Options cache)
      : database_(tr::postgres::pool_options({.url = std::move(database_url)})),
        cache_(tr::redis::pool_options(std::move(cache))) {}

  // Called by several threads at once. Blocks.
  tr::Answer name_of(const std::string& id) {
    const std::string key = "name:" + id;
    if (std::optional<std::string> known = cached(key)) return std::move(*known);
    auto database = database_.take(500ms);
    if (!database) return database.refusal();
    const auto rows = database->query("SELECT name FROM names WHERE id = $1", {id});
    database.give_back();  // others need it more than the line below
    if (!rows) return tr::error(rows.failure().message);
    if (rows.size() == 0) return "NONE";
    std::string name = tr::one_line(std::string(rows.text(0, 0)));
    if (auto cache = cache_.take(50ms)) cache->command({"SET", key, name, "EX", "60"});
    return name;
  }

 private:
  // A cache that fails costs no answer. A pool whose connections cannot be made says so at once.
  std::optional<std::string> cached(const std::string& key) {
    auto cache = cache_.take(50ms);
    if (!cache) return std::nullopt;
    const auto value = cache->command({"GET", key});
    if (value.kind() != tr::redis::Value::Kind::kText) return std::nullopt;
    return std::string(value.text());
  }

  tr::Pool<tr::postgres::Connection> database_;
  tr::Pool<tr::redis::Connection> cache_;
};

int main(int argc, char** argv) {
  Names names(argc > 1 ? argv[1] : "postgres://",
              {.host = argc > 2 ? argv[2] : "127.0.0.1",
               .port = static_cast<uint16_t>(argc > 3 ? std::stoi(argv[3]) : 6379),
               .connect_time_max = 200ms,
               .command_time_max = 50ms});
  const auto answer = [&](const tr::Request& request) -> tr::Answer {
    if (!request.text().starts_with("GET ")) return tr::error("expected GET ID");
    return names.name_of(std::string(request.text().substr(4)));
  };
  tr::Server server({.data_workers = 64});
  server.listen(argc > 4 ? argv[4] : "tcp://127.0.0.1:7000", tr::lines(), answer,
                {.handler_time_max = 2s});
  return server.run([&] { std::cout << "listening on " << server.urls()[0] << std::endl; });
}
