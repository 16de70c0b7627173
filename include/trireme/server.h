// The server: endpoints in, replies out. Start here.
//
// Thread: as each function says.
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
#include "trireme/served.h"
#include "trireme/stats.h"

namespace trireme { inline namespace v0 {

// Kernel, clock, threads and random numbers of a server. Users get one from the simulator and pass
// it on; only components define one, because its functions are those of the server's own sources:
// src/runtime/system/kernel.h and its neighbours.
struct Platform;

// A handler that had not returned at the deadline of the drain, or a codec, which holds its loop.
struct StuckJob {
  // A handler or callback; a codec on a loop; a step of a transport layer that computes.
  enum class Code : uint8_t { kHandler, kCodec, kLayer };

  std::string service{};                    // ListenOptions::name
  std::string thread{};                     // its name in `ps -L`, such as "data-3"
  std::string peer{};                       // the client, such as "127.0.0.1:4711"
  std::chrono::nanoseconds running_for{0};  // since it began
  Code code = Code::kHandler;
};

// One endpoint of a server: the value of listen() and serve(). Copyable; of no use to other
// servers.
struct ListenerId {
  uint32_t index = 0;  // in the order of listen(), as in Server::urls()
};

// Owns everything: Listener, I/O workers, data workers. Call listen() or serve() any number of
// times. Then either call run(), which also handles SIGTERM and SIGINT, or start() and later
// drain().
class Server {
 public:
  // Any thread. Takes a copy of the options; start() judges them.
  explicit Server(ServerOptions options = {});
  // Any thread. The same on another kernel, clock and threads, for the simulator and fault tests.
  // `platform` must outlive the server.
  Server(ServerOptions options, const Platform& platform);
  // Any thread. A handler must not call it. Drains if drain() has not been called. Blocks until
  // every handler and codec has returned, however long that takes; the log names those that still
  // run.
  ~Server();
  Server(const volatile Server&) = delete;  // volatile: so that Server({}) cannot mean a copy
  Server& operator=(const Server&) = delete;

  // Before start(). Serves `handler` at `url`: "tcp://HOST:PORT", "unix:/path", "unix:@name",
  // "fd:N" or "systemd:NAME" (docs/sockets.md); behind a balancer "tcp+proxy://HOST:PORT". An empty
  // HOST is every address; port 0 takes a free port. Never fails: start() reports what cannot be,
  // such as a wrong URL.
  template <class F>
  ListenerId listen(std::string url, std::shared_ptr<const Codec> codec, F handler,
                    ListenOptions options = {}) {
    std::shared_ptr<detail::Service> service;  // null, which start() refuses: an empty handler
    if (!detail::is_empty_handler(handler)) {
      service = std::make_shared<detail::HandlerService<F>>(std::move(handler));
    }
    return listen_service(std::move(url), std::move(codec), std::move(service), std::move(options));
  }

  // Before start(). Serves what a component has made, such as http::serve(), in the same way.
  ListenerId listen(std::string url, Served served, ListenOptions options = {}) {
    return listen_service(std::move(url), std::move(served.codec), std::move(served.service),
                          std::move(options));
  }

  // Before start(). Serves one session object of class S for each connection. The constructor of S
  // gets `shared`, which is borrowed and must outlive the server.
  template <class S, class... Shared>
  ListenerId serve(std::string url, std::shared_ptr<const Codec> codec, ListenOptions options,
                   Shared&... shared) {
    return listen_service(std::move(url), std::move(codec),
                          std::make_shared<detail::SessionService<S, Shared...>>(shared...),
                          std::move(options));
  }

  // Any thread. Binds all endpoints and starts all threads. Must be called once at most. If it
  // fails, nothing is left behind and the message says what to change. Fails after drain(). Opens
  // /dev/null for each of the descriptors 0 to 2 that is closed: nothing of the server becomes
  // standard output.
  Result<Done> start();

  // Any thread. Only after start(): the URLs with their real ports, in the order of listen(). An
  // inherited socket has the URL of its address; of a systemd:NAME each socket has one.
  std::vector<std::string> urls() const;

  // Any thread. A handler must not call it: the call ends the process. Ends in good order: stops
  // accepting, says goodbye, answers what has arrived, flushes, closes. Blocks until that is done
  // or `drain_time_max` is over; then connections are cut, and the handlers that still run are
  // returned. A second call waits for the first, and a call beside start() waits for start(). A
  // run() of another thread returns when the drain is done. Before start() there is nothing to end:
  // the server never starts.
  std::vector<StuckJob> drain();

  // Any thread, also that of a handler. The same drain without a wait: returns at once. A thread of
  // the server drains, and calls `when_done` (which may be empty) with the handlers that still run.
  // `when_done` must not destroy the server; its exceptions are logged. If there is no memory or no
  // thread for the drain, an error is logged and nothing ends: call drain().
  void drain(std::function<void(std::vector<StuckJob>)> when_done);

  // Any thread, also that of a handler. Drains without a wait, and tells nobody. A run() of another
  // thread returns when the drain is done. So an admin command can end its own server.
  void request_stop();

  // Any thread, also that of a handler, after start(). Returns at once. Soon after, the clients in
  // the backlog of this listener are accepted as far as there is room, and its sockets are closed.
  // Its connections go on. A second call does nothing. No listener can be added after start().
  void stop_listening(ListenerId listener);

  // Any thread. Cuts the drain that is under way, or the next one. Never blocks. Does nothing
  // before start().
  void cut_drain();

  // Any thread. Gives up on the threads of stuck jobs after drain() has returned some. The threads
  // are leaked, with all that they use. Never blocks. Else it does nothing.
  void abandon();

  // Any thread. Calls start() and `on_ready`, then blocks until SIGTERM, SIGINT, or a drain() of
  // another thread. Drains, and returns the exit status: 0, or 1 or 2 with a sentence in the log. A
  // second signal cuts the drain (status 1); a second SIGTERM within a second of the first means
  // the same wish and cuts nothing. SIGHUP calls
  // ServerOptions::on_hang_up, or is logged and ignored. If a handler, a codec or
  // `on_ready` is stuck, run() never returns: it names the stuck one in the log and ends the
  // process with status 1. Several servers of a process may run at once: a signal ends all.
  //
  // Catches the three signals first, even if they are blocked, and puts back the former actions at
  // its end. If such an action was the default, SIGTERM and SIGINT do nothing for one more second,
  // so that a process that ends now ends with this status.
  int run(const std::function<void()>& on_ready = {});

  // Any thread. The same, but `stop` also ends it, as request_stop() does. If a stop was requested
  // before, the server never starts, and the status is 0.
  int run(const std::stop_token& stop, const std::function<void()>& on_ready = {}) {
    const std::stop_callback asked(stop, [this] { request_stop(); });
    return run(on_ready);
  }

  // Any thread. Whether a drain is under way, or the server has ended: who balances load should
  // send nobody any more. May wait for a short lock.
  bool is_draining() const;

  // Any thread. A snapshot; all zero before start(). Never blocks.
  Stats stats() const;

 private:
  ListenerId listen_service(std::string url, std::shared_ptr<const Codec> codec,
                            std::shared_ptr<detail::Service> service, ListenOptions options);

  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}}  // namespace trireme
