// Step 10: HTTP. Handlers of routes in place of one handler and a codec; they may block as well.
//
//   tutorial_10_http [URL]
#include <chrono>
#include <iostream>
#include <map>
#include <mutex>
#include <string>
#include <thread>

#include "trireme/http.h"
#include "trireme/trireme.h"

namespace tr = trireme;
namespace http = trireme::http;

// Several threads run handlers at once, so what they share has a lock.
class Books {
 public:
  http::Response get(const http::Request& request) {
    const std::lock_guard lock(mutex_);
    const auto found = titles_.find(request.param("isbn"));
    if (found == titles_.end()) return http::problem(404, "no book has this number");
    return http::text(found->second + "\n");
  }
  http::Response put(const http::Request& request) {
    if (request.body().empty()) return http::problem(422, "a book has a title");
    const std::lock_guard lock(mutex_);
    const bool is_new =
        titles_.insert_or_assign(request.param("isbn"), std::string(request.body())).second;
    return http::Response(is_new ? 201 : 204);
  }
  http::Response count() {
    std::this_thread::sleep_for(std::chrono::seconds(1));  // as a database would
    const std::lock_guard lock(mutex_);
    return http::json("{\"books\":" + std::to_string(titles_.size()) + "}\n");
  }

 private:
  std::mutex mutex_;
  std::map<std::string, std::string> titles_;  // guarded by `mutex_`
};

int main(int argc, char** argv) {
  Books books;
  http::Routes routes;
  routes.get("/ping", [](const http::Request&) { return http::text("pong\n"); });
  routes.get("/books/:isbn", [&](const http::Request& request) { return books.get(request); });
  routes.put("/books/:isbn", [&](const http::Request& request) { return books.put(request); },
             {.body_bytes_max = 100});
  routes.get("/count", [&](const http::Request&) { return books.count(); });

  tr::Server server;
  server.listen(argc > 1 ? argv[1] : "tcp://127.0.0.1:7000", http::serve(std::move(routes)));
  return server.run([&] { std::cout << "listening on " << server.urls()[0] << std::endl; });
}
