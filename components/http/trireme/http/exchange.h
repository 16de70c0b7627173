// How handlers of routes are called: not for users, who have http::Routes.
//
// Step 4, handling. Thread: the handler's.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>

#include "trireme/http/event_stream.h"
#include "trireme/http/request.h"
#include "trireme/http/response.h"
#include "trireme/reply.h"

namespace trireme { inline namespace v0 { namespace http {

class ServingCore;
struct WebSocketRoute;

// The right to answer one request, now or later, from any thread. A Reply that is destroyed
// unanswered is a 500.
class Reply {
 public:
  // Any thread. For the server. `head`: of the request, if hooks are to see the response.
  Reply(trireme::Reply base, const MessageFacts& facts, std::shared_ptr<const ServingCore> core,
        std::string head)
      : base_(std::move(base)), head_(std::move(head)), facts_(facts), core_(std::move(core)) {}

  // Any thread. Answers, behind the hooks of Routes::after(), which run on this thread. Never
  // blocks but in them. One that throws makes it a 500.
  void send(Response response) &&;

  // Any thread. As of trireme::Reply: whether anybody still waits for the answer, and the client.
  Cancellation cancelled() const { return base_.cancelled(); }
  Peer peer() const { return base_.peer(); }

 private:
  trireme::Reply base_;
  std::string head_;
  MessageFacts facts_;
  std::shared_ptr<const ServingCore> core_;  // owners: codec, service, open replies
};

namespace detail {

// One request on its way through its handler.
class Exchange {
 public:
  // The handler's thread. One of the two, once.
  virtual void respond(Response&& response) = 0;
  virtual Reply take_reply() = 0;
  // Likewise. The head of the stream leaves; none: the client is gone, or takes nothing.
  virtual std::optional<EventStream> begin_events() = 0;
  // Likewise.
  virtual void upgrade(const std::shared_ptr<const WebSocketRoute>& route) = 0;

 protected:
  ~Exchange() = default;
};

class RouteHandler {
 public:
  virtual ~RouteHandler() = default;
  // The handler's thread.
  virtual void run(const Request& request, Exchange& exchange) const = 0;
  // Before start(). Whether it makes a connection speak something else.
  virtual bool upgrades() const = 0;
};

template <class F>
concept ResponseHandler = std::is_invocable_r_v<Response, const F&, const Request&>;
template <class F>
concept LaterHandler = std::is_invocable_v<const F&, const Request&, Reply>;

template <class F>
concept EventsHandler = std::is_invocable_v<const F&, EventStream>;
template <class F>
concept EventsOfRequestHandler = std::is_invocable_v<const F&, const Request&, EventStream>;

template <class F>
concept ReturnsToo = std::is_invocable_r_v<Response, const F&, const Request&, Reply>;

template <class F>
class HandlerOfRoute final : public RouteHandler {
  static_assert(!ReturnsToo<F>,
                "a handler that takes a Reply must not return a response, too: nobody would send "
                "it");
  static_assert(ResponseHandler<F> || LaterHandler<F> || EventsHandler<F> ||
                    EventsOfRequestHandler<F>,
                "a handler of a route must be Response(const http::Request&), "
                "void(const http::Request&, http::Reply), void(http::EventStream) or "
                "void(const http::Request&, http::EventStream), callable as const: several threads "
                "call it at once");

 public:
  explicit HandlerOfRoute(F handler) : handler_(std::move(handler)) {}

  bool upgrades() const override { return EventsHandler<F> || EventsOfRequestHandler<F>; }
  void run(const Request& request, Exchange& exchange) const override {
    if constexpr (ResponseHandler<F>) {
      exchange.respond(handler_(request));
    } else if constexpr (LaterHandler<F>) {
      handler_(request, exchange.take_reply());
    } else if (auto events = exchange.begin_events()) {
      if constexpr (EventsHandler<F>) {
        handler_(std::move(*events));
      } else {
        handler_(request, std::move(*events));
      }
    }
  }

 private:
  const F handler_;
};

}  // namespace detail

}}}  // namespace trireme::http
