// Service `hello`: HTTP with one route of each sort.
//
//   GET /                    200, "hello, world" and a newline
//   POST /echo               the content of the request
//   GET /delay/MICROSECONDS  200 after a real sleep, 0 to 60,000,000
//   GET /events              a stream of events, one a second
//   GET /ws                  a WebSocket that echoes text and binary messages, up to 16 MiB
//   GET /...                 a file below a folder, if there is one
//
// `frame_bytes_max` of its options is the limit of POST /echo.
// A user of the public API alone. Only /delay blocks.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "trireme/http.h"
#include "trireme/server.h"

namespace services {

namespace tr = trireme;

// Sends an event a second to whoever listens: one thread, however many streams there are.
class Ticker {
 public:
  Ticker();
  ~Ticker();
  Ticker(const Ticker&) = delete;
  Ticker& operator=(const Ticker&) = delete;

  // Any thread.
  void add(tr::http::EventStream stream);

 private:
  void run();

  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<tr::http::EventStream> streams_;
  bool stops_ = false;
  std::thread thread_;  // last: it uses the others
};

// The routes of the service. `ticker` must outlive the server. `echo_bytes_max`: what POST /echo
// takes.
tr::http::Routes hello_routes(Ticker& ticker, size_t echo_bytes_max);

// Before start(). Serves hello at `url`; a wrong URL is reported by Server::start(). `root`: the
// folder of files; empty: none. The error: it cannot be opened.
tr::Result<tr::Done> add_hello(tr::Server& server, Ticker& ticker, const std::string& url,
                               const std::string& root, const tr::ListenOptions& options);

}  // namespace services
