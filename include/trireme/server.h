// The server: endpoints in, replies out. Start here.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <stop_token>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "trireme/blocking.h"
#include "trireme/codec.h"
#include "trireme/detail/service.h"
#include "trireme/handler.h"
#include "trireme/options.h"
#include "trireme/result.h"
#include "trireme/stats.h"

namespace trireme { inline namespace v0 {

struct Platform;

// A handler that had not returned when the drain deadline came; or a codec, which holds its loop.
struct StuckJob {
  std::string service{};
  std::string thread{};
  std::string peer{};
  std::chrono::nanoseconds running_for{0};
  bool in_codec = false;
};

// One endpoint of a server: what listen() and serve() return. Copyable; of no use to other servers.
struct ListenerId {
  uint32_t index = 0;  // in the order of listen(), as in Server::urls()
};

// Owns everything: Listener, I/O workers, data workers. Use: listen() or serve() any number of
// times, then either run() - which also handles SIGTERM and SIGINT - or start() and later drain().
class Server {
 public:
  explicit Server(ServerOptions options = {});
  // The same on another kernel, clock and threads: for the simulator and fault tests. `platform`
  // must outlive it.
  Server(ServerOptions options, const Platform& platform);
  // Drains if that has not been done. Waits for every handler and codec to return, however long
  // that takes; those that still run are named in the log.
  ~Server();
  Server(const volatile Server&) = delete;  // volatile: so that Server({}) cannot mean a copy
  Server& operator=(const Server&) = delete;

  // Before start(). Serves `handler` at `url` ("tcp://HOST:PORT"; an empty HOST is every address;
  // port 0 takes a free one). What cannot be, such as a wrong URL, is reported by start().
  template <class F>
  ListenerId listen(std::string url, std::shared_ptr<const Codec> codec, F handler,
                    ListenOptions options = {}) {
    std::shared_ptr<detail::Service> service;  // null, which start() refuses: an empty handler
    if (!detail::is_empty_handler(handler)) {
      service = std::make_shared<detail::HandlerService<F>>(std::move(handler));
    }
    return listen_service(std::move(url), std::move(codec), std::move(service), std::move(options));
  }

  // Before start(). Serves one session object of class S a connection; `shared` is passed to its
  // constructor and must outlive the server.
  template <class S, class... Shared>
  ListenerId serve(std::string url, std::shared_ptr<const Codec> codec, ListenOptions options,
                   Shared&... shared) {
    return listen_service(std::move(url), std::move(codec),
                          std::make_shared<detail::SessionService<S, Shared...>>(shared...),
                          std::move(options));
  }

  // Binds all endpoints, starts all threads. Once. On failure nothing is left behind and the
  // message says what to change. Fails after drain(). Opens /dev/null for those of the descriptors
  // 0 to 2 that are closed, so that none of the server's is taken for standard output. Any thread.
  Result<Done> start();

  // After start(): the URLs with their real ports, in the order of listen(). Any thread.
  std::vector<std::string> urls() const;

  // Ends in good order: stops accepting, says goodbye, answers what has arrived, flushes, closes.
  // Blocks until done or until `drain_time_max`; then connections are cut and the handlers that
  // still run are returned. Any thread but a handler's. A second call waits for the first, one
  // beside start() for that; a run() of another thread returns when this is done. Before start()
  // there is nothing to end: the server never starts.
  std::vector<StuckJob> drain();

  // Any thread, also a handler's. The same without waiting: returns at once. A thread of the server
  // drains, and calls `when_done` (which may be empty) with the handlers that still run.
  // `when_done` must not destroy the server; what it throws is logged. Without memory or a thread
  // for it an error is logged, and nothing ends: call drain().
  void drain(std::function<void(std::vector<StuckJob>)> when_done);

  // Any thread, also a handler's: drain without waiting, and without being told. A run() of another
  // thread returns when that is done; an admin command ends its own server so.
  void request_stop() { drain(nullptr); }

  // After start(). Any thread, also a handler's. Returns at once; soon after, clients that wait in
  // the backlog of this listener are taken, as far as there is room, and its sockets are closed.
  // Connections that it has accepted go on. A second call does nothing. New listeners cannot come
  // after start().
  void stop_listening(ListenerId listener);

  // Any thread. Cuts the drain that is under way, or the one that comes. Before start() it does
  // nothing.
  void cut_drain();

  // Any thread. After drain() returned stuck jobs: gives up on their threads, which are leaked with
  // all that they use. Else it does nothing.
  void abandon();

  // start(), then `on_ready`, then waits for SIGTERM, SIGINT or drain() of another thread. Drains,
  // and returns the exit status: 0, or 1 or 2 with a sentence in the log. A second signal cuts the
  // drain (status 1), but for a SIGTERM within a second of the first one: that is the same wish.
  // SIGHUP is logged and ignored. Never returns when a handler, a codec or `on_ready` is stuck: it
  // names it in the log and ends the process with status 1. Several servers of a process may run at
  // once: a signal ends all.
  //
  // Catches the three signals first, also where they are blocked, and puts back what was there
  // before. Where that was the default, SIGTERM and SIGINT do nothing for one second more: who ends
  // the process now does so with this status.
  int run(const std::function<void()>& on_ready = {});

  // The same, and `stop` ends it as request_stop() does. Asked for before: the server never starts,
  // and the status is 0.
  int run(const std::stop_token& stop, const std::function<void()>& on_ready = {});

  Stats stats() const;  // Any thread. Before start() all zero.

 private:
  ListenerId listen_service(std::string url, std::shared_ptr<const Codec> codec,
                            std::shared_ptr<detail::Service> service, ListenOptions options);

  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}}  // namespace trireme
