// The admin endpoint: what a server does, for people and for Prometheus, over HTTP.
//
//   /metrics      every counter of Stats, in Prometheus' text format
//   /healthz      200 while the process answers
//   /readyz       200; 503 before the server serves, and while it drains
//   /connections  connections by state, and how they ended, as JSON
//   /stalls       handlers that were late, by kind of request, as JSON
//
// It is a server of its own with one loop and no thread that waits, so it answers while every data
// worker of the other server sleeps. GET and HEAD only, no content, few connections. A browser that
// was lured to it by a name gets 421: the Host must be the address, or localhost (DNS rebinding).
#pragma once

#include <atomic>
#include <memory>
#include <string>

#include "trireme/http.h"
#include "trireme/server.h"

namespace services {

namespace tr = trireme;

struct AdminOptions {
  std::string url{};       // "http://127.0.0.1:9000", "tcp://127.0.0.1:0", "unix:/path"
  bool is_public = false;  // an address other than the loopback is allowed, and any Host
};

// Any thread. All numbers as Prometheus' text format has them.
std::string metrics_text(const tr::Stats& stats);

class Admin {
 public:
  // Any thread. `watched` must outlive it.
  Admin(const tr::Server& watched, AdminOptions options);
  ~Admin();
  Admin(const Admin&) = delete;
  Admin& operator=(const Admin&) = delete;

  // Any thread, once. The sentence of an error says what to change.
  tr::Result<tr::Done> start();
  // Any thread, after start().
  std::string url() const;
  // Any thread. The watched server serves.
  void note_ready() { ready_.store(true); }

 private:
  tr::http::Routes make_routes() const;

  const tr::Server& watched_;
  AdminOptions options_;
  std::atomic<bool> ready_{false};
  std::unique_ptr<tr::Server> server_;
};

// Any thread. Whether a URL to listen at is of this machine alone.
bool is_loopback(const std::string& url);

}  // namespace services
