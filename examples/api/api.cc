// A small JSON service on SQLite, and a page that shows it live: things that are made, changed and
// removed come to all browsers as events; what somebody says, by WebSocket; files are left and
// fetched. Handlers wait for the database as long as it takes.
//
//   example_api [URL [FILE]]        then open the page, http://127.0.0.1:8080/
#include <cstdint>
#include <iostream>
#include <mutex>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "database.h"
#include "page.h"
#include "trireme/http.h"
#include "trireme/trireme.h"

namespace tr = trireme;
namespace http = trireme::http;
using json = nlohmann::json;

// Who looks, by streams of events or by WebSockets. To send never waits, so the lock may be held.
template <class Listener>
class Listeners {
 public:
  void add(Listener listener) {
    const std::lock_guard lock(mutex_);
    all_.push_back(std::move(listener));
  }
  template <class Message>
  void tell(const Message& message) {
    const std::lock_guard lock(mutex_);
    std::erase_if(all_, [&](const Listener& listener) {
      return listener.send(message) == tr::SendResult::kClosed;
    });
  }

 private:
  std::mutex mutex_;
  std::vector<Listener> all_;
};

class Talk {
 public:
  Talk(http::WebSocket socket, Listeners<http::WebSocket>& all) : all_(all) {
    all_.add(std::move(socket));
  }
  void on_message(const http::Message& message) {
    all_.tell(http::Broadcast::text(message.bytes));  // framed once for all
  }

 private:
  Listeners<http::WebSocket>& all_;
};

// Every change has a number; it is the id of its event, and the entity tag of its thing.
class Things {
 public:
  explicit Things(const std::string& file) : database_(file) {
    database_.run("CREATE TABLE IF NOT EXISTS things (id INTEGER PRIMARY KEY, name, change)");
    database_.run("CREATE TABLE IF NOT EXISTS changes (number INTEGER PRIMARY KEY, kind, data)");
    database_.run("CREATE TABLE IF NOT EXISTS files (name TEXT PRIMARY KEY, bytes)");
  }

  http::Response list() {
    json all = json::array();
    database_.run("SELECT id, name FROM things ORDER BY id", {}, [&](const Database::Row& row) {
      all.push_back({{"id", row.number(0)}, {"name", row.text(1)}});
    });
    return http::json(all.dump());
  }

  http::Response get(const http::Request& request) {
    const auto found = find(request.param("id"));
    if (!found) return http::problem(404, "there is no such thing");
    if (auto answer = http::check_conditions(request, {.entity_tag = found->tag})) {
      return std::move(*answer);
    }
    return show(*found);
  }

  http::Response make(const http::Request& request) {
    const auto name = name_of(request);
    if (!name) return http::problem(422, "a thing is {\"name\": TEXT}, 1 to 100 bytes");
    const std::lock_guard lock(changes_);
    int64_t id = 0;
    database_.run("INSERT INTO things (name) VALUES (?) RETURNING id", {*name},
                  [&](const Database::Row& row) { id = row.number(0); });
    note("put", std::to_string(id), *name);
    return show(*find(std::to_string(id)))
        .status(201)
        .header("Location", "/things/" + std::to_string(id));
  }

  http::Response change(const http::Request& request) {
    const auto name = name_of(request);
    if (!name) return http::problem(422, "a thing is {\"name\": TEXT}, 1 to 100 bytes");
    const std::lock_guard lock(changes_);  // nobody changes it between the look and the change
    const auto found = find(request.param("id"));
    if (!found) return http::problem(404, "there is no such thing");
    if (auto answer = http::check_conditions(request, {.entity_tag = found->tag})) {
      return std::move(*answer);
    }
    database_.run("UPDATE things SET name = ? WHERE id = ?", {*name, found->id});
    note("put", found->id, *name);
    return show(*find(found->id));
  }

  http::Response remove(const http::Request& request) {
    const std::lock_guard lock(changes_);
    const std::string id = request.param("id");
    if (database_.run("DELETE FROM things WHERE id = ?", {id}) == 0) {
      return http::problem(404, "there is no such thing");
    }
    note("delete", id, "");
    return http::Response(204);
  }

  // A browser that was away hears what it has missed, and then what comes.
  void follow(const http::EventStream& stream) {
    const std::lock_guard lock(changes_);
    const std::string since = stream.last_event_id().empty() ? "0" : stream.last_event_id();
    database_.run("SELECT number, kind, data FROM changes WHERE number > CAST(? AS INTEGER)",
                  {since}, [&](const Database::Row& row) {
                    stream.send({.data = row.text(2), .name = row.text(1), .id = row.text(0)});
                  });
    followers_.add(stream);
  }

  http::Response leave_file(const http::Request& request) {
    const auto parts = request.parts();
    if (!parts) return http::problem(415, "a form with a file, please");
    for (const http::Part& part : *parts) {
      if (part.file_name.empty()) continue;
      const std::string name = std::to_string(part.content.size()) + "-" + part.file_name;
      database_.run("INSERT OR REPLACE INTO files VALUES (?, ?)",
                    {name, std::string(part.content)});
      return http::json(
                 json{{"url", "/files/" + escaped(name)}, {"bytes", part.content.size()}}.dump(
                     -1, ' ', true))
          .status(201);
    }
    return http::problem(422, "there is no file in the form");
  }

  http::Response fetch_file(const http::Request& request) {
    std::optional<std::string> bytes;
    database_.run("SELECT bytes FROM files WHERE name = ?", {request.param("name")},
                  [&](const Database::Row& row) { bytes = row.text(0); });
    if (!bytes) return http::problem(404, "there is no such file");
    return http::Response()
        .header("Content-Type", "application/octet-stream")
        .header("X-Content-Type-Options", "nosniff")
        .body(std::move(*bytes));
  }

 private:
  struct Found {
    std::string id, name, tag;
  };

  static std::optional<std::string> name_of(const http::Request& request) {
    const json thing = json::parse(request.body(), nullptr, false);
    if (!thing.is_object() || !thing.contains("name") || !thing["name"].is_string()) {
      return std::nullopt;
    }
    const auto name = thing["name"].get<std::string>();
    return name.empty() || name.size() > 100 ? std::nullopt : std::optional(name);
  }
  static http::Response show(const Found& found) {
    return http::json(json{{"id", std::stoll(found.id)}, {"name", found.name}}.dump())
        .header("ETag", found.tag);
  }
  // As a segment of a path.
  static std::string escaped(std::string_view name) {
    constexpr std::string_view digits = "0123456789ABCDEF";
    std::string made;
    for (const char byte : name) {
      const auto value = static_cast<unsigned char>(byte);
      if (std::isalnum(value) != 0 || byte == '-' || byte == '.') {
        made += byte;
      } else {
        made += {'%', digits[value >> 4], digits[value & 15]};
      }
    }
    return made;
  }

  std::optional<Found> find(const std::string& id) {
    std::optional<Found> found;
    database_.run("SELECT id, name, change FROM things WHERE id = ?", {id},
                  [&](const Database::Row& row) {
                    found = Found{row.text(0), row.text(1), "\"" + row.text(2) + "\""};
                  });
    return found;
  }
  // Under the lock of changes: events come in the order of their numbers.
  void note(const std::string& kind, const std::string& id, const std::string& name) {
    const std::string data = json{{"id", std::stoll(id)}, {"name", name}}.dump();
    std::string number;
    database_.run("INSERT INTO changes (kind, data) VALUES (?, ?) RETURNING number", {kind, data},
                  [&](const Database::Row& row) { number = row.text(0); });
    database_.run("UPDATE things SET change = ? WHERE id = ?", {number, id});
    followers_.tell(http::PreparedEvent({.data = data, .name = kind, .id = number}));
  }

  std::mutex changes_;
  Database database_;
  Listeners<http::EventStream> followers_;
};

int main(int argc, char** argv) {
  Things things(argc > 2 ? argv[2] : "");
  Listeners<http::WebSocket> talkers;
  http::Routes routes;
  routes.get("/", [](const http::Request&) { return http::html(kPage); });
  routes.get("/things", [&](const http::Request&) { return things.list(); });
  routes.post("/things", [&](const http::Request& request) { return things.make(request); });
  routes.get("/things/:id", [&](const http::Request& request) { return things.get(request); });
  routes.put("/things/:id", [&](const http::Request& request) { return things.change(request); });
  routes.del("/things/:id", [&](const http::Request& request) { return things.remove(request); });
  routes.get("/events", [&](http::EventStream stream) { things.follow(stream); });
  routes.websocket<Talk>("/talk", {.message_bytes_max = 4096}, talkers);
  routes.post("/files", [&](const http::Request& request) { return things.leave_file(request); });
  routes.get("/files/:name",
             [&](const http::Request& request) { return things.fetch_file(request); });
  // The page says here what its test has found.
  routes.post("/tested", [](const http::Request& request) {
    std::cout << "the page: " << request.body() << std::endl;
    return http::Response(204);
  });
  http::answer_conditions(routes);  // ranges of files, 304 for what a browser has
  http::log_access(routes, [](std::string_view line) { std::cerr << line << "\n"; });

  tr::Server server;
  server.listen(argc > 1 ? argv[1] : "http://127.0.0.1:8080", http::serve(std::move(routes)));
  return server.run([&] { std::cout << "listening on " << server.urls()[0] << std::endl; });
}
