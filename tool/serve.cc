#include "tool/serve.h"

#include <algorithm>
#include <atomic>
#include <csignal>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "services/collect.h"
#include "services/delay.h"
#include "services/discard.h"
#include "services/echo.h"
#include "services/lines.h"
#include "tool/aside.h"
#include "tool/log.h"
#include "tool/start_up.h"
#include "trireme/server.h"
#ifdef TRIREME_HAS_HTTP
#include "services/admin.h"
#include "services/files.h"
#include "services/hello.h"
#endif
#ifdef TRIREME_HAS_STACKS
#include "trireme/stacks.h"
#endif
#ifdef TRIREME_HAS_URING
#include "trireme/uring.h"
#endif

namespace tool {
namespace {

int exit_status(const tr::Error& error) { return error.code == tr::Error::Code::kUsage ? 2 : 1; }

// Before there is a server that would keep the log from holding us up.
void log_aside(const ServeOptions& options, tr::LogLevel level, const std::string& line) {
  run_aside([log = options.server.log, level, line] { log(level, line); });
}

// For threads that the log must not hold up: while a line hangs, further ones are dropped.
tr::LogSink log_of_few(tr::LogSink log) {
  const auto hangs = std::make_shared<std::atomic<bool>>(false);
  return [log = std::move(log), hangs](tr::LogLevel level, std::string_view line) {
    if (hangs->exchange(true)) return;
    run_aside([log, hangs, level, line = std::string(line)] {
      log(level, line);
      *hangs = false;
    });
  };
}

bool demands_proxy(const std::string& url) {
  return url.substr(0, url.find(':')).find("+proxy") != std::string::npos;
}

void choose_driver(ServeOptions& options) {
  options.server.driver = options.driver.choice;
#ifdef TRIREME_HAS_URING
  if (!options.driver.uring_where_possible) return;
  const auto used = tr::use_io_uring(options.server);
  if (!used) log_aside(options, tr::LogLevel::kInfo, used.error().message + "; using epoll");
#endif
}

int refuse(const ServeOptions& options, const tr::Error& error) {
  log_aside(options, tr::LogLevel::kError, error.message);
  return exit_status(error);
}

#ifdef TRIREME_HAS_HTTP
// Of `files`.
tr::Result<tr::Done> add_files(tr::Server& server, const ServeOptions& options,
                               const std::string& url) {
  auto routes = services::file_routes({.root = options.root,
                                       .index = options.index,
                                       .lists_folders = options.lists_folders,
                                       .follows_links = options.follows_links});
  if (!routes) return routes.error();
  server.listen(url, tr::http::serve(std::move(routes.value())), options.listen);
  return tr::Done{};
}

#endif
auto open_collect(const ServeOptions& options) {
  return services::Collect::open({.path = options.database,
                                  .log_bytes_max = options.database_log_bytes_max,
                                  .log = log_of_few(options.server.log)});
}

}  // namespace

int serve(ServeOptions options) {
  hold_hang_up();
  // Whoever reads our output or log may go away without taking the server down.
  std::signal(SIGPIPE, SIG_IGN);
  options.server.log = make_log(options.server.log_level);
  options.listen.name = options.service;
  choose_driver(options);
#ifdef TRIREME_HAS_STACKS
  tr::use_stacks(options.server);
#endif

  std::unique_ptr<services::Collect> collect;  // outlives the server
  if (options.service == "collect") {
    auto opened = open_collect(options);
    if (!opened) return refuse(options, opened.error());
    collect = std::move(opened.value());
  }

#ifdef TRIREME_HAS_HTTP
  std::unique_ptr<services::Ticker> ticker;  // likewise
  if (options.service == "hello") ticker = std::make_unique<services::Ticker>();
#endif

  const auto tls = choose_tls(options.tls, options.urls, options.server);
  if (!tls) return refuse(options, tls.error());
  tr::Server server(options.server);
  const tr::ListenOptions given = options.listen;
  const bool has_proxy = std::any_of(options.urls.begin(), options.urls.end(), demands_proxy);
  for (const std::string& url : options.urls) {
    options.listen = given;
    // For one of several: where none demands a header, the server says that it is of no use.
    if (has_proxy && !demands_proxy(url)) options.listen.proxy_from.clear();
    if (wants_tls(url)) {
      options.listen.tls = tls.value();
      options.listen.limits.handshake_time_max =
          options.tls.handshake_time_max.value_or(given.limits.handshake_time_max);
    }
    if (collect) services::add_collect(server, *collect, url, options.listen);
    if (options.service == "delay") services::add_delay(server, url, options.listen);
    if (options.service == "discard") services::add_discard(server, url, options.listen);
    if (options.service == "echo") services::add_echo(server, url, options.listen);
#ifdef TRIREME_HAS_HTTP
    tr::Result<tr::Done> added = tr::Done{};
    if (ticker) added = services::add_hello(server, *ticker, url, options.root, options.listen);
    if (options.service == "files") added = add_files(server, options, url);
    if (!added) return refuse(options, added.error());
#endif
    if (options.service == "lines") services::add_lines(server, url, options.listen);
  }
#ifdef TRIREME_HAS_HTTP
  services::Admin admin(server, {.url = options.admin, .is_public = options.admin_is_public});
  if (!options.admin.empty()) {
    if (const auto started = admin.start(); !started) return refuse(options, started.error());
    log_aside(options, tr::LogLevel::kInfo, "admin endpoint at " + admin.url());
  }
#endif
  const SignalsHeld held;
  return server.run([&] {
#ifdef TRIREME_HAS_HTTP
    admin.note_ready();
#endif
    std::string lines;
    for (const std::string& url : server.urls()) lines += "listening on " + url + "\n";
    print_aside(lines);
  });
}

}  // namespace tool
