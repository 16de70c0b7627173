// Which handler answers which request.
//
//   http::Routes routes;
//   routes.get("/hello/:name", [](const http::Request& request) {
//     return http::text("hello " + request.param("name"));  // may block
//   });
//   server.listen("http://:8080", http::serve(std::move(routes)));
//
// Thread: one, before start(); then it only reads.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "trireme/http/exchange.h"
#include "trireme/http/files.h"
#include "trireme/http/request.h"
#include "trireme/http/response.h"
#include "trireme/http/websocket.h"

namespace trireme { inline namespace v0 { namespace http {

// Options of one route.
struct RouteOptions {
  // Of the content; over it the client gets 413 before it has sent all. Never more than
  // Limits::frame_bytes_max of the listener, which is the limit of a route that says nothing.
  std::optional<size_t> body_bytes_max{};
  // Of streams of events: after so long without an event a comment goes out. It keeps proxies and
  // `idle_time_max` from ending the stream, and finds clients that have vanished. Zero: none.
  std::chrono::nanoseconds heartbeat_time = std::chrono::seconds(30);
};

class Routes {
 public:
  Routes();
  ~Routes();
  Routes(Routes&&) noexcept;
  Routes& operator=(Routes&&) noexcept;

  // Before start(). `pattern`: "/things/:id/parts" or "/static/*rest". A literal segment comes
  // before a parameter, a parameter before the rest, whatever the order of the calls. The handler
  // is Response(const Request&), or void(const Request&, Reply) to answer later, or
  // void(EventStream) to keep a stream of events. It may block and may throw. Several threads call
  // it at once, so it must be callable as const. Each route is a kind of requests
  // (docs/dispatch.md): the first 14 are learned one by one.
  //
  // HEAD has the handler of GET, OPTIONS and 404 and 405 are answered by themselves. Throws
  // std::invalid_argument: the pattern is none, or has this method already.
  template <class F>
  Routes& get(std::string_view pattern, F handler, RouteOptions options = {}) {
    return on("GET", pattern, std::move(handler), options);
  }
  // Before start(). Likewise.
  template <class F>
  Routes& post(std::string_view pattern, F handler, RouteOptions options = {}) {
    return on("POST", pattern, std::move(handler), options);
  }
  template <class F>
  Routes& put(std::string_view pattern, F handler, RouteOptions options = {}) {
    return on("PUT", pattern, std::move(handler), options);
  }
  template <class F>
  Routes& patch(std::string_view pattern, F handler, RouteOptions options = {}) {
    return on("PATCH", pattern, std::move(handler), options);
  }
  template <class F>
  Routes& del(std::string_view pattern, F handler, RouteOptions options = {}) {
    return on("DELETE", pattern, std::move(handler), options);
  }
  // Before start(). Any method that llhttp knows: those of HTTP but CONNECT, and of WebDAV and its
  // like, such as "PROPFIND". Others are std::invalid_argument here, and 501 for clients.
  template <class F>
  Routes& on(std::string_view method, std::string_view pattern, F handler,
             RouteOptions options = {}) {
    return add(method, pattern, std::make_unique<detail::HandlerOfRoute<F>>(std::move(handler)),
               options);
  }

  // Before start(). WebSockets: an object of class S for each (websocket.h). `shared` is borrowed
  // and must outlive the server. Needs Ordering::kSerial.
  template <class S, class... Shared>
  Routes& websocket(std::string_view pattern, WebSocketOptions options, Shared&... shared) {
    return add_websocket(pattern, std::move(options),
                         std::make_unique<detail::FactoryOf<S, Shared...>>(shared...));
  }

  // Before start(). GET and HEAD of the files below a folder (files.h), at `prefix` or "/". Throws
  // std::system_error: the folder cannot be opened.
  Routes& files(std::string_view prefix, const std::string& folder, FilesOptions options = {});

  // Before start(). All routes of `other` under a prefix, such as "/api", or "".
  Routes& mount(std::string_view prefix, Routes other);

  // Before start(). Runs before the handler of every route, and before 404 and its like, in the
  // order of the calls; a response ends the way. It runs as the handler does, and may block.
  Routes& before(std::function<std::optional<Response>(const Request&)> hook);
  // Before start(). Runs on every response, in the order of the calls: what a handler has returned
  // or sent later, 404 and its like, the 500 of a handler that throws, the heads of streams of
  // events, and 101 of WebSockets. Not on what the server answers to bytes that are no request.
  Routes& after(std::function<void(const Request&, Response&)> hook);

 private:
  friend class ServingCore;
  struct Table;

  Routes& add(std::string_view method, std::string_view pattern,
              std::unique_ptr<detail::RouteHandler> handler, const RouteOptions& options);

  Routes& add_websocket(std::string_view pattern, WebSocketOptions options,
                        std::unique_ptr<detail::WebSocketFactory> factory);

  std::unique_ptr<Table> table_;
};

}}}  // namespace trireme::http
